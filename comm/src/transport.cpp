// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/transport.hpp"

#include <utility>

namespace caesura::comm::impl {

std::unique_ptr<Transfer> Transport::prepare_all_gather(std::string_view operation, const Message& own,
                                                        std::vector<Message> all) {
  std::vector<Message> sends, receives;
  for (int distance = 1; distance < size(); ++distance) {
    const int to = (rank() + distance) % size();
    const int from = (rank() - distance + size()) % size();
    if (own.bytes > 0) sends.push_back({to, own.data, own.bytes});
    if (all[static_cast<std::size_t>(from)].bytes > 0) receives.push_back(all[static_cast<std::size_t>(from)]);
  }
  return prepare(operation, std::move(sends), std::move(receives));
}

}  // namespace caesura::comm::impl
