// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/distributed_case.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

// Counts the allocations of this program, Kokkos' own included, while somebody wants it.
namespace {
std::atomic<bool> counting{false};
std::atomic<int> allocations{0};
// Kokkos takes the labels of kernels, fences and regions as strings, each of which is one.
constexpr std::size_t smallest_counted = 128;

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (counting && bytes >= smallest_counted) ++allocations;
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

constexpr int ranks = 3;

std::atomic<int> views{0};  // that Kokkos allocates, which does not go through operator new
void count_views(Kokkos_Profiling_SpaceHandle, const char*, const void*, std::uint64_t) { ++views; }

/// Whom to count. Not both at once: where a tool listens, Kokkos makes strings for it.
enum class Count : std::uint8_t { operator_new, kokkos };

struct Ending {
  int allocations = 0, views = 0;
  std::vector<std::int64_t> before, after;  // memory_bytes by rank
};

/// Two steps, and five more that are counted.
Ending run_steps(const Problem& problem, const solver::Plan& plan, bool keeps, Count count) {
  Ending ending;
  ending.before.resize(ranks), ending.after.resize(ranks);
  allocations = views = 0;
  const auto listen = [&](bool on) {
    if (count == Count::operator_new) counting = on;
    if (count == Count::kokkos) Kokkos::Tools::Experimental::set_allocate_data_callback(on ? count_views : nullptr);
  };
  comm::run_in_process(ranks, [&](const comm::Communicator& communicator) {
    const RankSpace space = make_rank_space();
    const auto rank = static_cast<std::size_t>(communicator.rank());
    DistributedAttention<RankSpace> attention(
        space, communicator, plan, {.heads_q = 4, .heads_kv = 2, .dim = 16, .dim_v = 16, .type = ScalarType::float16});
    const DeviceCase<half, half, RankSpace::memory_space> own(share_of(problem, plan.placement(), communicator.rank()));
    const ViewRef lse = own.lse.matrix();
    KeptKeys kept = attention.keep_keys();
    KeptKeys* const keeper = keeps ? &kept : nullptr;
    ending.before[rank] = attention.memory_bytes() + kept.memory_bytes();
    const auto step = [&] {
      attention.forward(own.q, own.k, own.v, own.out, lse, own.options, keeper);
      attention.backward(own.dout, own.q, own.k, own.v, own.out, lse, own.dq, own.dk, own.dv, own.options, keeper);
    };
    step(), step();
    const auto all_together = [&](const auto& action) {
      comm::barrier(communicator).wait();
      if (communicator.rank() == 0) action();
      comm::barrier(communicator).wait();
    };
    all_together([&] { listen(true); });
    for (int i = 0; i < 5; ++i) step();
    all_together([&] { listen(false); });
    ending.after[rank] = attention.memory_bytes() + kept.memory_bytes();
  });
  ending.allocations = allocations;
  ending.views = views;
  return ending;
}

TEST(DistributedMemory, IsAllThereBeforeTheFirstStep) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({70, 0, 1, 190, 33}));
  Problem problem(mask, {4, 2, 16, 16}, 91);
  problem.options.dropout = {.probability = 0.1, .seed = 2, .offset = 3};
  problem.add_sink(1, 92);
  for (const solver::ExchangeKind exchange : solver::all_exchanges()) {
    const solver::Plan plan = solver::solve(
        mask, {.ranks = ranks},
        {.exchange = exchange, .stages = 2, .layer = {.heads_q = 4, .heads_kv = 2, .dim_qk = 16, .dim_v = 16}});
    for (const bool keeps : {true, false}) {
      for (const Count count : {Count::operator_new, Count::kokkos}) {
        SCOPED_TRACE(text(solver::name_of(exchange), keeps ? ", kept" : ", fetched again"));
        const Ending ending = run_steps(problem, plan, keeps, count);
        EXPECT_EQ(ending.allocations, 0);
        EXPECT_EQ(ending.views, 0);
        for (std::size_t rank = 0; rank < ranks; ++rank) {
          // Keys that are kept are another buffer: lists of where its rows lie come with its first use.
          EXPECT_LE(ending.after[rank], ending.before[rank] + (keeps ? 512 : 0)) << "rank " << rank;
          EXPECT_GE(ending.after[rank], ending.before[rank]) << "rank " << rank;
        }
      }
    }
  }
}

}  // namespace
}  // namespace caesura::testing
