// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/group.hpp>
#include <caesura/comm/in_process.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/comm/ring.hpp>
#include <caesura/comm/row_exchange.hpp>

#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <vector>

// Counts every allocation of this program, Kokkos' own included, while somebody wants it.
namespace {
std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (counting) ++allocations;
  void* const memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace caesura::testing {
namespace {

using comm::Communicator;
using Operation = std::function<void()>;

std::atomic<int> views{0};  // that Kokkos allocates, which does not go through operator new

void count_views(Kokkos_Profiling_SpaceHandle, const char*, const void*, std::uint64_t) { ++views; }

/// Whom to count. Not both at once: where a tool listens, Kokkos makes strings for it.
enum class Count { operator_new, kokkos };

/// Runs each operation on 3 ranks a few times; after the first times nothing may be allocated.
void expect_no_allocation(
    const std::function<std::vector<Operation>(const Kokkos::Serial&, const Communicator&)>& make) {
  for (const Count count : {Count::operator_new, Count::kokkos}) {
    allocations = 0;
    views = 0;
    const auto listen = [&](bool on) {
      if (count == Count::operator_new) counting = on;
      if (count == Count::kokkos) Kokkos::Tools::Experimental::set_allocate_data_callback(on ? count_views : nullptr);
    };
    comm::run_in_process(3, [&](const Communicator& communicator) {
      const auto space = rank_space();
      const std::vector<Operation> operations = make(space, communicator);
      for (int warm = 0; warm < 3; ++warm)
        for (const Operation& operation : operations) operation();
      comm::barrier(communicator).wait();
      if (communicator.rank() == 0) listen(true);
      comm::barrier(communicator).wait();
      for (int repeat = 0; repeat < 5; ++repeat)
        for (const Operation& operation : operations) operation();
      comm::barrier(communicator).wait();
      if (communicator.rank() == 0) listen(false);
      comm::barrier(communicator).wait();
    });
    EXPECT_EQ(allocations, 0);
    EXPECT_EQ(views, 0);
  }
}

TEST(Allocation, OfAPlanHappensOnlyAtFirstUse) {
  expect_no_allocation([](const Kokkos::Serial& space, const Communicator& communicator) {
    std::vector<Operation> operations;
    comm::RowTransfers transfers;
    comm::GroupSplits splits = {{2, 3}, {{0, 1, 2}, {1}}, {}, {}};
    for (int peer = 0; peer < 3; ++peer) {
      transfers.sends.push_back({peer, 0, 1});
      transfers.sends.push_back({peer, 2, 4});
      transfers.receives.push_back({peer, peer * 4, peer * 4 + 3});
      splits.output_rows.push_back(2);
      splits.sources.push_back(peer);
      if (communicator.rank() == 1) splits.output_rows.push_back(3), splits.sources.push_back(peer);
    }
    const std::int64_t outputs = communicator.rank() == 1 ? 15 : 6;
    for (const Lie lie : all_lies) {  // several Views of several sizes: the layers of a model
      const TestRows<float> send(5, 2, 3, lie), receive(12, 2, 3, lie), parts(outputs, 2, 3, lie), out(5, 2, 3, lie);
      const TestRows<float> part_lse(outputs, 1, 2, Lie::right), lse(5, 1, 2, Lie::right);
      const auto exchange = std::make_shared<comm::RowExchange>(communicator, transfers);
      const auto cast = std::make_shared<comm::GroupCast>(communicator, splits);
      const auto reduce = std::make_shared<comm::GroupReduce>(communicator, splits);
      operations.push_back([=] { exchange->start(space, send.view(), receive.view()).wait(); });
      operations.push_back([=] { cast->start(space, send.view(), parts.view()).wait(); });
      operations.push_back([=] { reduce->start(space, parts.view(), out.view()).wait(); });
      const auto flat = [](const TestRows<float>& rows) {
        return Kokkos::subview(rows.view(), Kokkos::ALL, 0, Kokkos::ALL);
      };
      operations.push_back(
          [=] { reduce->start_lse(space, parts.view(), flat(part_lse), out.view(), flat(lse)).wait(); });
    }
    return operations;
  });
}

TEST(Allocation, OfOperationsWithoutAPlanHappensOnlyTheFirstTime) {
  expect_no_allocation([](const Kokkos::Serial& space, const Communicator& communicator) {
    const TestRows<double> send(6, 2, 3, Lie::strided), receive(6, 2, 3, Lie::left), all(18, 2, 3, Lie::padded),
        part(2, 2, 3);
    return std::vector<Operation>{
        [=] { comm::all_gather(space, communicator, send.view(), all.view()).wait(); },
        [=] { comm::ring_shift(space, communicator, send.view(), receive.view()).wait(); },
        [=] {
          static const std::vector<std::int64_t> rows = {2, 2, 2};
          comm::all_to_all_v(space, communicator, send.view(), rows, receive.view(), rows).wait();
          comm::reduce_scatter_v(space, communicator, send.view(), part.view(), rows).wait();
        },
        [=] { comm::all_reduce(space, communicator, send.view(), receive.view()).wait(); },
        [=] { comm::barrier(communicator).wait(); }};
  });
}

}  // namespace
}  // namespace caesura::testing
