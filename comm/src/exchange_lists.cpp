// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/exchange_lists.hpp"

#include "impl/transport.hpp"
#include <caesura/comm/all_to_all.hpp>

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <numeric>
#include <string>

namespace caesura::comm::impl {

namespace {

using Numbers = std::vector<std::int64_t>;

template <class Space, class MemorySpace>
Numbers exchange(const Communicator& communicator, const Numbers& send, const Numbers& send_rows,
                 const Numbers& receive_rows) {
  using View = Kokkos::View<std::int64_t*, MemorySpace>;
  using OnHost = Kokkos::View<std::int64_t*, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>;
  using ConstOnHost = Kokkos::View<const std::int64_t*, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>;
  const Space space;
  const auto allocation = Kokkos::view_alloc(Kokkos::WithoutInitializing, std::string("caesura::comm::exchange_lists"));
  Numbers received(static_cast<std::size_t>(std::reduce(receive_rows.begin(), receive_rows.end())));
  const View from(allocation, send.size());
  const View to(allocation, received.size());
  Kokkos::deep_copy(space, from, ConstOnHost(send.data(), send.size()));
  comm::all_to_all_v(space, communicator, from, send_rows, to, receive_rows).wait();
  Kokkos::deep_copy(space, OnHost(received.data(), received.size()), to);
  space.fence("caesura::comm::exchange_lists");
  return received;
}

Numbers exchange(const Communicator& communicator, const Numbers& send, const Numbers& send_rows,
                 const Numbers& receive_rows) {
#ifdef KOKKOS_ENABLE_CUDA
  if (!communicator.impl_transport()->takes_host_memory())
    return exchange<Kokkos::Cuda, Kokkos::CudaSpace>(communicator, send, send_rows, receive_rows);
#endif
  return exchange<Kokkos::DefaultHostExecutionSpace, Kokkos::HostSpace>(communicator, send, send_rows, receive_rows);
}

}  // namespace

std::vector<Numbers> exchange_lists(const Communicator& communicator, const std::vector<Numbers>& lists) {
  const auto ranks = static_cast<std::size_t>(communicator.size());
  Numbers lengths, all;
  for (const Numbers& list : lists) {
    lengths.push_back(static_cast<std::int64_t>(list.size()));
    all.insert(all.end(), list.begin(), list.end());
  }
  const Numbers one(ranks, 1);
  const Numbers received_lengths = exchange(communicator, lengths, one, one);
  const Numbers received = exchange(communicator, all, lengths, received_lengths);
  std::vector<Numbers> result;
  auto next = received.begin();
  for (const std::int64_t length : received_lengths) {
    result.emplace_back(next, next + length);
    next += length;
  }
  return result;
}

}  // namespace caesura::comm::impl
