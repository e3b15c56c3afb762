// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/distributed/mesh_share.hpp>
#include <support/distributed_case.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace caesura::testing {
namespace {

using solver::Mesh;
using solver::Sharding;

constexpr std::int64_t batch = 4, seq = 48;
// Each row of the batch: documents of 20, 3 and 25 tokens; the second row has padding at its end.
constexpr std::int32_t cu_seqlens[] = {0, 20, 23, 48, 0, 31, 40, 40, 0, 20, 23, 48, 0, 1, 2, 48};
const HeadShape heads = {4, 2, 12, 8};

Mask mask_of(Range rows) {
  const std::span<const std::int32_t> own(cu_seqlens + 4 * rows.begin, static_cast<std::size_t>(4 * rows.size()));
  return Mask::from_documents(Documents::from_batch(own, rows.size(), seq));
}

Problem problem_of(const Problem& whole, const MeshShare& share) {
  const Range rows = {share.batch.begin * seq, share.batch.end * seq};
  Problem part(mask_of(share.batch), {share.heads_q.size(), share.heads_kv.size(), heads.dim_qk, heads.dim_v}, 0);
  part.options = whole.options;
  part.q = block_of(whole.q, rows, share.heads_q);
  part.dout = block_of(whole.dout, rows, share.heads_q);
  part.k = block_of(whole.k, rows, share.heads_kv);
  part.v = block_of(whole.v, rows, share.heads_kv);
  return part;
}

/// Runs the mesh on threads; each rank compares its share with the whole's results.
void expect_equals_one_rank(const Mesh& mesh, std::span<const Sharding> shardings) {
  const Problem whole(mask_of({0, batch}), heads, 91);
  const Results expected = expected_results(whole);
  const auto ranks = static_cast<int>(mesh.ranks());
  struct OfRank {
    std::optional<Problem> problem;
    Results wanted, got;
  };
  std::vector<OfRank> results(static_cast<std::size_t>(ranks));
  std::mutex mutex;
  comm::run_in_process(ranks, [&](const comm::Communicator& world) {
    const MeshShare share = mesh_share(world, mesh, shardings, {.batch = batch, .heads_q = 4, .heads_kv = 2});
    const Problem part = problem_of(whole, share);
    const solver::Plan plan = solver::solve(part.mask, {.ranks = share.context.size()},
                                            {.layer = {.heads_q = static_cast<std::int32_t>(part.shape.heads_q),
                                                       .heads_kv = static_cast<std::int32_t>(part.shape.heads_kv),
                                                       .dim_qk = static_cast<std::int32_t>(heads.dim_qk),
                                                       .dim_v = static_cast<std::int32_t>(heads.dim_v)}});
    const Range rows = {share.batch.begin * seq, share.batch.end * seq};
    // Only the rank's own tokens are filled in, on both sides.
    OfRank& own = results[static_cast<std::size_t>(world.rank())];
    const Results all = {block_of(expected.out, rows, share.heads_q),
                         block_of(expected.lse, rows, share.heads_q),
                         block_of(expected.row_max, rows, share.heads_q),
                         block_of(expected.dq, rows, share.heads_q),
                         block_of(expected.dk, rows, share.heads_kv),
                         block_of(expected.dv, rows, share.heads_kv),
                         {}};
    own.problem = part;
    own.wanted = empty_results(part);
    own.got = empty_results(part);
    const solver::Placement& placement = plan.placement();
    const solver::RangeSet queries = placement.queries_of(share.context.rank());
    const solver::RangeSet keys = placement.keys_of(share.context.rank());
    put_results(own.wanted,
                {take_rows(all.out, queries),
                 take_rows(all.lse, queries),
                 take_rows(all.row_max, queries),
                 take_rows(all.dq, queries),
                 take_rows(all.dk, keys),
                 take_rows(all.dv, keys),
                 {}},
                placement, share.context.rank());
    run_rank<double>(share.context, part, plan, {.first_head = static_cast<std::int32_t>(share.heads_q.begin)}, own.got,
                     mutex);
  });
  for (int rank = 0; rank < ranks; ++rank) {
    SCOPED_TRACE(text("rank ", rank));
    const OfRank& own = results[static_cast<std::size_t>(rank)];
    ASSERT_TRUE(own.problem);
    expect_close(*own.problem, own.wanted, own.got, ScalarType::float64, ScalarType::float64);
  }
}

std::string describe(std::span<const Sharding> shardings) {
  std::string result;
  for (const Sharding sharding : shardings) result += text(solver::name_of(sharding), ' ');
  return result;
}

TEST(MeshShare, OfEveryShardingOfTwoAxesEqualsOneRank) {
  const Mesh mesh = {{{.name = "dp", .size = 2}, {.name = "tp", .size = 2}}};
  for (const Sharding first : {Sharding::batch, Sharding::heads, Sharding::context, Sharding::replicate}) {
    for (const Sharding second : {Sharding::batch, Sharding::heads, Sharding::context, Sharding::replicate}) {
      if (first == Sharding::heads && second == Sharding::heads) continue;  // 2 key heads do not divide by 4
      const Sharding shardings[] = {first, second};
      SCOPED_TRACE(describe(shardings));
      expect_equals_one_rank(mesh, shardings);
    }
  }
}

TEST(MeshShare, OfThreeAxesEqualsOneRank) {
  const Mesh mesh = {{{.name = "dp", .size = 2}, {.name = "cp", .size = 2}, {.name = "tp", .size = 2}}};
  const Sharding usual[] = {Sharding::batch, Sharding::context, Sharding::heads};
  const Sharding mixed[] = {Sharding::context, Sharding::heads, Sharding::context};
  expect_equals_one_rank(mesh, usual);
  expect_equals_one_rank(mesh, mixed);
}

TEST(MeshShare, RunsWhatTheSolverChose) {
  const solver::Options layer = {.layer = {.heads_q = 4, .heads_kv = 2, .dim_qk = 12, .dim_v = 8}};
  for (const Mesh& mesh :
       {Mesh{{{.name = "dp", .size = 4}}}, Mesh{{{.name = "dp", .size = 4}, {.name = "tp", .size = 2}}},
        Mesh{{{.name = "dp", .size = 3}, {.name = "tp", .size = 2}}}}) {
    const solver::Strategy strategy =
        solver::choose_strategy(mask_of({0, batch}), mesh, {.batch = batch, .plan = layer});
    SCOPED_TRACE(describe(strategy.chosen().shardings));
    expect_equals_one_rank(mesh, strategy.chosen().shardings);
  }
}

TEST(MeshShare, SaysWhatDoesNotFit) {
  comm::run_in_process(2, [](const comm::Communicator& world) {
    const Mesh two = {{{.name = "tp", .size = 2}}}, four = {{{.name = "tp", .size = 4}}};
    const Sharding one[] = {Sharding::heads}, several[] = {Sharding::heads, Sharding::batch};
    const Sharding rows[] = {Sharding::batch};
    expect_invalid({"mesh_share: mesh = 4 ranks: must be as many as the world has, 2"},
                   [&] { mesh_share(world, four, one, {.heads_q = 4, .heads_kv = 4}); });
    expect_invalid({"mesh_share: shardings = 2 of them: must be one for each of 1 axes"},
                   [&] { mesh_share(world, two, several, {.heads_q = 4, .heads_kv = 4}); });
    expect_invalid({"mesh_share: heads_kv = 1: must divide by 2, the ranks of its axes"},
                   [&] { mesh_share(world, two, one, {.heads_q = 4, .heads_kv = 1}); });
    expect_invalid({"mesh_share: batch = 3: must divide by 2, the ranks of its axes"},
                   [&] { mesh_share(world, two, rows, {.batch = 3, .heads_q = 4, .heads_kv = 4}); });
  });
}

}  // namespace
}  // namespace caesura::testing
