// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/exchange_plan.hpp"
#include "impl/region.hpp"
#include "impl/row_counts.hpp"
#include <caesura/comm/all_to_all.hpp>

namespace caesura::comm::impl {
namespace {

std::vector<RowBlock> one_behind_the_other(std::span<const std::int64_t> rows) {
  std::vector<RowBlock> blocks;
  std::int64_t next = 0;
  for (const std::int64_t count : rows) {
    blocks.push_back({static_cast<int>(blocks.size()), next, next + count});
    next += count;
  }
  return blocks;
}

}  // namespace

Request all_to_all_v(const Instance& instance, const Communicator& communicator, const Rows& send,
                     std::span<const std::int64_t> send_rows, const Rows& receive,
                     std::span<const std::int64_t> receive_rows) {
  const Region region("caesura::comm::all_to_all_v");
  constexpr std::string_view operation = "all_to_all_v";
  Endpoint& endpoint = communicator.impl_endpoint();
  const std::int64_t sent = check_counts(operation, "send_rows", send_rows, endpoint.size());
  const std::int64_t received = check_counts(operation, "receive_rows", receive_rows, endpoint.size());
  check_rows(operation, "send", send, sent, "the sum of send_rows");
  check_rows(operation, "receive", receive, received, "the sum of receive_rows");
  return start_kept(endpoint, {.operation = operation, .rows = send_rows, .more_rows = receive_rows}, instance, send,
                    receive, Pattern::pairs, [&](std::vector<RowBlock>& sends, std::vector<RowBlock>& receives) {
                      sends = one_behind_the_other(send_rows);
                      receives = one_behind_the_other(receive_rows);
                    });
}

}  // namespace caesura::comm::impl
