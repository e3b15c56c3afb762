// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>

#include <nccl/work.hpp>

#include <cstddef>

namespace caesura::comm::impl {

namespace {

std::string side(std::int64_t bytes, const char* direction, const std::vector<int>& peers) {
  constexpr std::size_t named = 8;
  std::string ranks = peers.size() == 1 ? " rank " : " ranks ";
  for (std::size_t i = 0; i < peers.size() && i < named; ++i) ranks += caesura::text(i ? "," : "", peers[i]);
  if (peers.size() > named) ranks += caesura::text(" and ", peers.size() - named, " more");
  return caesura::text(bytes, " bytes ", direction, ranks);
}

}  // namespace

std::string NcclWork::text() const {
  std::string result = caesura::text(operation, ": rank ", rank);
  if (!to.empty()) result += ": " + side(bytes_sent, "to", to);
  if (!from.empty()) result += (to.empty() ? ": " : ", ") + side(bytes_received, "from", from);
  return result;
}

}  // namespace caesura::comm::impl
