// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/in_process.hpp>
#include <caesura/distributed/distribute.hpp>
#include <caesura/distributed/kv_buffer.hpp>
#include <support/distributed_case.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <numeric>

namespace caesura::testing {
namespace {

using Memory = Space::memory_space;

struct MicroCase {
  std::vector<std::int64_t> lengths;
  DocumentMask rule;
  HeadShape shape;
};

std::string describe(const MicroCase& test) {
  std::string result = "lengths";
  for (const std::int64_t length : test.lengths) result += text(" ", length);
  return text(result, test.rule.kind == MaskKind::full ? ", full" : ", causal", ", window ", test.rule.window.left,
              ", heads ", test.shape.heads_q, "/", test.shape.heads_kv, ", dim ", test.shape.dim_qk);
}

std::vector<MicroCase> micro_cases() {
  std::vector<MicroCase> cases;
  for (const std::vector<std::int64_t>& lengths :
       {std::vector<std::int64_t>{15}, {6, 9}, {4, 1, 10}, {20, 32, 10, 11, 9, 18}}) {
    for (const DocumentMask& rule :
         {DocumentMask{}, DocumentMask{.kind = MaskKind::full}, DocumentMask{.window = {4, 0}}}) {
      for (const HeadShape& shape : {HeadShape{4, 1, 16, 16}, {2, 2, 16, 16}, {4, 2, 16, 16}})
        cases.push_back({lengths, rule, shape});
    }
  }
  cases.push_back({{4, 1, 10}, {}, {2, 1, 320, 320}});
  return cases;
}

/// Copies rows of the whole k and v to (rows, 2, heads_kv, dim).
template <class Rows>
void fill_pairs(const Rows& rows, const Problem& problem, Range range) {
  const auto host = Kokkos::create_mirror_view(rows);
  for (std::int64_t row = range.begin; row < range.end; ++row) {
    for (std::int64_t head = 0; head < problem.shape.heads_kv; ++head) {
      for (std::int64_t i = 0; i < problem.shape.dim_qk; ++i) {
        const auto at = static_cast<std::size_t>(row - range.begin);
        const auto h = static_cast<std::size_t>(head), d = static_cast<std::size_t>(i);
        host(at, 0, h, d) = from_double<typename Rows::value_type>(problem.k(row, head, i));
        host(at, 1, h, d) = from_double<typename Rows::value_type>(problem.v(row, head, i));
      }
    }
  }
  Kokkos::deep_copy(rows, host);
}

/// On \p space: a rank's is its own, and Kokkos' default one need not be for threads that it has not made.
template <class ReadSpace, class Tensor>
reference::Tensor read(const ReadSpace& space, const Tensor& tensor) {
  // Strided device memory is not copied to another layout directly.
  const Kokkos::View<typename Tensor::value_type***, Kokkos::LayoutRight, typename Tensor::memory_space> packed(
      Kokkos::view_alloc(space, "packed"), tensor.extent(0), tensor.extent(1), tensor.extent(2));
  Kokkos::deep_copy(space, packed, tensor);
  space.fence();
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), packed);
  reference::Tensor result(static_cast<std::int64_t>(host.extent(0)), static_cast<std::int64_t>(host.extent(1)),
                           static_cast<std::int64_t>(host.extent(2)));
  for (std::size_t i = 0; i < host.size(); ++i) result.values[i] = to_double(host.data()[i]);
  return result;
}

/// What a key may see of non-causal documents lies behind it too: micro-sequences have seen the past alone.
Mask seen_by_micro_sequences(const Mask& whole, std::int64_t size) {
  std::vector<BandSlice> seen;
  for (std::int64_t begin = 0; begin < whole.total_q(); begin += size) {
    const std::int64_t end = std::min(begin + size, whole.total_q());
    const Mask part = whole.restricted({begin, end}, {0, end});
    seen.insert(seen.end(), part.slices().begin(), part.slices().end());
  }
  return Mask::from_slices(whole.total_q(), whole.total_k(), seen);
}

/// Micro-sequence after micro-sequence, each with its keys gathered into the buffer, and back in reverse order.
template <AttentionScalar Scalar>
void check_micro_sequences(const MicroCase& test, std::int64_t size) {
  const std::int64_t total = std::accumulate(test.lengths.begin(), test.lengths.end(), std::int64_t{0});
  const Problem problem(
      seen_by_micro_sequences(Mask::from_documents(Documents::from_lengths(test.lengths), test.rule), size), test.shape,
      93);
  SCOPED_TRACE(text(describe(test), ", micro-sequences of ", size, ", ", name_of(scalar_type_v<Scalar>)));
  const Space space;
  const DeviceCase<Scalar> device(problem);
  const KvBuffer<Scalar, Memory> buffer(space, total, test.shape.heads_kv, test.shape.dim_qk);
  const KvBuffer<accumulator_t<Scalar>, Memory> gradients(space, total, test.shape.heads_kv, test.shape.dim_qk);
  std::vector<MicroSequence> parts;
  std::vector<AttentionPlan<Space>> plans;
  for (std::int64_t begin = 0; begin < total; begin += size) {
    const Range queries = {begin, std::min(begin + size, total)};
    space.fence();
    fill_pairs(buffer.rows(queries), problem, queries);
    parts.push_back(micro_sequence(problem.mask, queries));
    const Range keys = parts.back().keys;
    EXPECT_LE(keys.end, queries.end);
    plans.emplace_back(space, parts.back().mask);
    AttentionOptions options = device.options;
    options.row_max = device.row_max.matrix_rows(queries.begin, queries.end);
    attention_forward(space, plans.back(), device.q.rows(queries.begin, queries.end), buffer.keys(keys),
                      buffer.values(keys), device.out.rows(queries.begin, queries.end),
                      device.lse.matrix_rows(queries.begin, queries.end), options);
  }
  AttentionOptions options = device.options;
  options.gradients = GradientMode::accumulate;
  for (std::size_t i = parts.size(); i-- > 0;) {
    const Range queries = parts[i].queries, keys = parts[i].keys;
    attention_backward(space, plans[i], device.dout.rows(queries.begin, queries.end),
                       device.q.rows(queries.begin, queries.end), buffer.keys(keys), buffer.values(keys),
                       device.out.rows(queries.begin, queries.end), device.lse.matrix_rows(queries.begin, queries.end),
                       device.dq.rows(queries.begin, queries.end), gradients.keys(keys), gradients.values(keys),
                       options);
  }
  space.fence();
  Results got = device.download();
  got.dk = read(space, gradients.keys({0, total}));
  got.dv = read(space, gradients.values({0, total}));
  expect_close(problem, expected_results(problem), got, scalar_type_v<Scalar>, scalar_type_v<Scalar>);
}

TEST(KvBufferSteps, AddUpToTheWhole) {
  for (const MicroCase& test : micro_cases()) {
    for (const std::int64_t size : {4, 7, 100}) {
      check_micro_sequences<double>(test, size);
      check_micro_sequences<float>(test, size);
      check_micro_sequences<bfloat16>(test, size);
    }
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(KvBufferSteps, OfALongSequenceAddUpToTheWhole) {
  for (const DocumentMask& rule : {DocumentMask{}, DocumentMask{.window = {150, 0}}}) {
    check_micro_sequences<float>({{300, 5, 260, 1, 150}, rule, {4, 2, 32, 32}}, 128);
    check_micro_sequences<double>({{700}, rule, {2, 1, 16, 16}}, 100);
  }
}

TEST(KvBufferGradients, OutsideWhatWasSeenAreExactZeros) {
  // Seven keys of a past that the three documents behind it do not see, whatever is in it.
  const Documents documents = Documents::from_lengths({4, 1, 10});
  for (const DocumentMask& rule :
       {DocumentMask{}, DocumentMask{.kind = MaskKind::full}, DocumentMask{.window = {4, 0}}}) {
    const Mask mask = Mask::from_documents(documents, rule).shifted(0, 7, 15, 22);
    const Problem problem(mask, {4, 2, 16, 16}, 94);
    const Space space;
    const DeviceCase<float> device(problem);
    const KvBuffer<float, Memory> buffer(space, 22, 2, 16), gradients(space, 22, 2, 16);
    space.fence();
    fill_pairs(buffer.rows({0, 22}), problem, {0, 22});
    const MicroSequence part = micro_sequence(mask, {0, 15});
    EXPECT_EQ(part.keys, (Range{7, 22}));
    const AttentionPlan<Space> plan(space, part.mask);
    attention_forward(space, plan, device.q, buffer.keys(part.keys), buffer.values(part.keys), device.out,
                      device.lse.matrix(), device.options);
    AttentionOptions options = device.options;
    options.gradients = GradientMode::accumulate;
    attention_backward(space, plan, device.dout, device.q, buffer.keys(part.keys), buffer.values(part.keys), device.out,
                       device.lse.matrix(), device.dq, gradients.keys(part.keys), gradients.values(part.keys), options);
    space.fence();
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), gradients.rows({0, 7}));
    for (std::size_t i = 0; i < host.size(); ++i) EXPECT_EQ(std::bit_cast<std::uint32_t>(host.data()[i]), 0U) << i;
    Results got = device.download();
    got.dk = read(space, gradients.keys({0, 22}));
    got.dv = read(space, gradients.values({0, 22}));
    expect_close(problem, expected_results(problem), got, ScalarType::float32, ScalarType::float32);
  }
}

TEST(KvBufferRanges, OfKeysBeginWithTheFirstDocumentStillSeen) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({3, 6, 6}));
  const MicroSequence part = micro_sequence(mask, {5, 15});
  EXPECT_EQ(part.queries, (Range{5, 15}));
  EXPECT_EQ(part.keys, (Range{3, 15}));
  const std::vector<std::int64_t> lengths_q = {4, 6}, lengths_k = {6, 6};
  EXPECT_EQ(part.mask, Mask::from_documents(Documents::from_lengths(lengths_q, lengths_k)));
  // A window narrows further: query 5 sees keys 4 and 5 only.
  EXPECT_EQ(micro_sequence(Mask::from_documents(Documents::from_lengths({3, 6, 6}), {.window = {1, 0}}), {5, 7}).keys,
            (Range{4, 7}));
  const MicroSequence nothing = micro_sequence(Mask::from_slices(9, 9, {}), {2, 5});
  EXPECT_EQ(nothing.keys, (Range{0, 0}));
  EXPECT_EQ(nothing.mask, Mask::from_slices(3, 0, {}));
}

/// Micro-sequences under context parallel: ranks share the queries of each, and gather its keys into the slice.
TEST(KvBufferSteps, WorkUnderContextParallel) {
  constexpr std::int64_t size = 40;
  const std::vector<std::int64_t> lengths = {30, 55, 1, 34};
  const Mask mask = Mask::from_documents(Documents::from_lengths(lengths), {.window = {25, 0}});
  const Problem problem(mask, {4, 2, 16, 16}, 95);
  const Results expected = expected_results(problem);
  const std::int64_t total = mask.total_q();
  for (const int ranks : {1, 2, 3}) {
    SCOPED_TRACE(text(ranks, " ranks"));
    Results got = empty_results(problem);
    std::mutex mutex;
    comm::run_in_process(ranks, [&](const comm::Communicator& communicator) {
      const RankSpace space = make_rank_space();
      using Host = RankSpace::memory_space;
      const KvBuffer<float, Host> buffer(space, total, 2, 16), gradients(space, total, 2, 16);
      std::vector<MicroSequence> parts;
      std::vector<AttentionPlan<RankSpace>> plans;
      const DeviceCase<float, float, Host> device(problem);
      const auto rows = [](const auto& tensor, Range range) { return tensor.rows(range.begin, range.end); };
      const auto matrix = [](const auto& tensor, Range range) { return tensor.matrix_rows(range.begin, range.end); };
      for (std::int64_t begin = 0; begin < total; begin += size) {
        const Range range = {begin, std::min(begin + size, total)};
        // Uneven parts, in the order of ranks.
        std::vector<std::int64_t> counts(static_cast<std::size_t>(ranks), 0);
        for (std::int64_t row = 0; row < range.size(); ++row)
          ++counts[static_cast<std::size_t>(std::min<std::int64_t>(row * row / 500, ranks - 1))];
        const auto first = counts.begin(), here = first + communicator.rank();
        const std::int64_t before = std::accumulate(first, here, range.begin);
        const Range own = {before, before + *here};
        const Kokkos::View<float****, Kokkos::LayoutRight, Host> local(Kokkos::view_alloc(space, "local"),
                                                                       static_cast<std::size_t>(own.size()), 2, 2, 16);
        fill_pairs(local, problem, own);
        buffer.gather(space, communicator, local, range, counts).wait();
        parts.push_back(micro_sequence(mask, own));
        const MicroSequence& part = parts.back();
        plans.emplace_back(space, part.mask);
        AttentionOptions options = device.options;
        options.row_max = matrix(device.row_max, own);
        attention_forward(space, plans.back(), rows(device.q, own), buffer.keys(part.keys), buffer.values(part.keys),
                          rows(device.out, own), matrix(device.lse, own), options);
      }
      AttentionOptions options = device.options;
      options.gradients = GradientMode::accumulate;
      for (std::size_t i = parts.size(); i-- > 0;) {
        const Range own = parts[i].queries, keys = parts[i].keys;
        attention_backward(space, plans[i], rows(device.dout, own), rows(device.q, own), buffer.keys(keys),
                           buffer.values(keys), rows(device.out, own), matrix(device.lse, own), rows(device.dq, own),
                           gradients.keys(keys), gradients.values(keys), options);
      }
      space.fence();
      const Results part = device.download();
      const reference::Tensor dk = read(space, gradients.keys({0, total})),
                              dv = read(space, gradients.values({0, total}));
      const std::lock_guard lock(mutex);
      std::vector<Range> owned;
      for (const MicroSequence& one : parts) owned.push_back(one.queries);
      const solver::RangeSet mine(owned);
      put_rows(got.out, take_rows(part.out, mine), mine);
      put_rows(got.lse, take_rows(part.lse, mine), mine);
      put_rows(got.row_max, take_rows(part.row_max, mine), mine);
      put_rows(got.dq, take_rows(part.dq, mine), mine);
      for (std::size_t i = 0; i < dk.values.size(); ++i) got.dk.values[i] += dk.values[i];
      for (std::size_t i = 0; i < dv.values.size(); ++i) got.dv.values[i] += dv.values[i];
    });
    expect_close(problem, expected, got, ScalarType::float32, ScalarType::float32);
  }
}

TEST(KvBufferErrors, NameArgumentAndRule) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({4, 5}));
  expect_invalid({"micro_sequence: queries = [3, 10)", "must lie in [0, 9)"}, [&] { micro_sequence(mask, {3, 10}); });
  expect_invalid({"micro_sequence: queries = [-1, 2)"}, [&] { micro_sequence(mask, {-1, 2}); });
  expect_invalid({"micro_sequence: queries = [4, 2)"}, [&] { micro_sequence(mask, {4, 2}); });
  using Buffer = KvBuffer<float, Memory>;
  const Space space;
  expect_invalid({"KvBuffer: total, heads_kv, dim = -1, 2, 8"}, [&] { Buffer(space, -1, 2, 8); });
  expect_invalid({"KvBuffer: total, heads_kv, dim = 9, 0, 8"}, [&] { Buffer(space, 9, 0, 8); });
  expect_invalid({"KvBuffer: total, heads_kv, dim = 9, 2, 0"}, [&] { Buffer(space, 9, 2, 0); });
  const Buffer buffer(space, 9, 2, 8);
  EXPECT_EQ(buffer.memory_bytes(), 9 * 2 * 2 * 8 * 4);
  expect_invalid({"KvBuffer: range = [3, 10)", "must lie in [0, 9)"}, [&] { buffer.keys({3, 10}); });
  expect_invalid({"KvBuffer: range = [5, 4)"}, [&] { buffer.values({5, 4}); });
  expect_invalid({"KvBuffer: range = [-1, 4)"}, [&] { buffer.rows({-1, 4}); });
  expect_invalid({"KvBuffer::gather: rows_of_rank = 5 rows together", "must be those of the range, 4"}, [&] {
    comm::run_in_process(2, [&](const comm::Communicator& communicator) {
      const RankSpace rank_space = make_rank_space();
      const KvBuffer<float, RankSpace::memory_space> own(rank_space, 9, 2, 8);
      const std::vector<std::int64_t> counts = {2, 3};
      own.gather(rank_space, communicator, own.rows({0, counts[static_cast<std::size_t>(communicator.rank())]}), {0, 4},
                 counts)
          .wait();
    });
  });
}

}  // namespace
}  // namespace caesura::testing
