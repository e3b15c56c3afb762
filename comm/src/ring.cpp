// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/exchange_plan.hpp"
#include "impl/region.hpp"
#include <caesura/comm/ring.hpp>

#include <array>

namespace caesura::comm::impl {

Request ring_shift(const Instance& instance, const Communicator& communicator, const Rows& send, const Rows& receive,
                   int stride) {
  const Region region("caesura::comm::ring_shift");
  Endpoint& endpoint = communicator.impl_endpoint();
  const int size = endpoint.size();
  const int steps = (stride % size + size) % size;
  const std::array<std::int64_t, 2> rows = {send.rows(), receive.rows()};
  return start_kept(endpoint, {.operation = "ring_shift", .parameter = steps, .rows = rows}, instance, send, receive,
                    Pattern::pairs, [&](std::vector<RowBlock>& sends, std::vector<RowBlock>& receives) {
                      sends.push_back({(endpoint.rank() + steps) % size, 0, send.rows()});
                      receives.push_back({(endpoint.rank() + size - steps) % size, 0, receive.rows()});
                    });
}

}  // namespace caesura::comm::impl
