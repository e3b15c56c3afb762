// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/impl/lowered_storage.hpp>
#include <support/attention_case.hpp>
#include <support/errors.hpp>
#include <support/masks.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace caesura::testing {
namespace {

/// The keys of several calls that together are one attention, in the order of the calls.
using KeyParts = std::vector<Range>;

std::vector<KeyParts> all_key_parts(std::int64_t total) {
  const std::int64_t a = total * 3 / 10, b = total * 2 / 3;
  return {{{0, a}, {a, total}}, {{b, total}, {0, a}, {a, b}}, {{a, b}, {b, b}, {b, total}, {0, a}}};
}

/// The pairs of some keys, counted from the first of them.
Mask part_of(const Mask& mask, Range keys) {
  return mask.restricted({0, mask.total_q()}, keys).shifted(0, -keys.begin, mask.total_q(), keys.size());
}

enum class SinkIn : std::uint8_t { first_call, last_call };

/// Forward and backward part by part, outputs in the accumulator type.
template <AttentionScalar Scalar>
Results run_parts(const Problem& problem, const KeyParts& parts, const std::string& kernel, SinkIn sink_in,
                  Maxima maxima) {
  const Space space;
  const DeviceCase<Scalar, accumulator_t<Scalar>> device(problem);
  const auto rows = [](const auto& tensor, Range range) { return tensor.rows(range.begin, range.end); };
  std::vector<AttentionPlan<Space>> plans;
  for (const Range keys : parts) plans.emplace_back(space, part_of(problem.mask, keys));
  const std::size_t with_sink = sink_in == SinkIn::first_call ? 0 : parts.size() - 1;
  const auto options_of = [&](std::size_t i) {
    AttentionOptions options = device.options;
    options.variant = kernel;
    if (i != with_sink) options.sink = options.dsink = {};
    if (maxima == Maxima::not_asked_for) options.row_max = {};
    return options;
  };
  for (std::size_t i = 0; i < parts.size(); ++i) {
    AttentionOptions options = options_of(i);
    options.results = i == 0 ? ResultMode::overwrite : ResultMode::merge;
    attention_forward(space, plans[i], device.q, rows(device.k, parts[i]), rows(device.v, parts[i]), device.out,
                      device.lse.matrix(), options);
  }
  for (std::size_t i = parts.size(); i-- > 0;) {
    AttentionOptions options = options_of(i);
    options.query_gradients = i + 1 == parts.size() ? GradientMode::overwrite : GradientMode::accumulate;
    attention_backward(space, plans[i], device.dout, device.q, rows(device.k, parts[i]), rows(device.v, parts[i]),
                       device.out, device.lse.matrix(), device.dq, rows(device.dk, parts[i]), rows(device.dv, parts[i]),
                       options);
  }
  space.fence();
  return device.download();
}

template <class Scalar>
class AttentionParts : public ::testing::Test {
 protected:
  static void check(const Problem& problem, const Results& expected, const KeyParts& parts, SinkIn sink_in,
                    Maxima maxima) {
    for (const std::string& kernel : kernel_names(scalar_type_v<Scalar>)) {
      SCOPED_TRACE(text(describe(problem), ", kernel ", kernel, ", ", parts.size(), " parts, the first from key ",
                        parts.front().begin, sink_in == SinkIn::first_call ? ", sink first" : ", sink last",
                        maxima == Maxima::asked_for ? ", with row_max" : ", without row_max"));
      Results got = run_parts<Scalar>(problem, parts, kernel, sink_in, maxima);
      if (maxima == Maxima::not_asked_for) got.row_max = expected.row_max;
      expect_close(problem, expected, got, scalar_type_v<Scalar>, accumulator_of(scalar_type_v<Scalar>), kernel);
    }
  }
};
using Scalars = ::testing::Types<double, float, half, bfloat16>;
TYPED_TEST_SUITE(AttentionParts, Scalars);

TYPED_TEST(AttentionParts, OfTheKeysOfEveryMaskMergeToTheWhole) {
  for (const NamedMask& named : kernel_masks()) {
    SCOPED_TRACE(named.name);
    const Problem problem(named.mask, {4, 2, 16, 24}, 111);
    const Results expected = expected_results(problem);
    for (const KeyParts& parts : all_key_parts(named.mask.total_k())) {
      this->check(problem, expected, parts, SinkIn::first_call, Maxima::asked_for);
      this->check(problem, expected, parts, SinkIn::first_call, Maxima::not_asked_for);
      if (this->HasFailure()) return;
    }
  }
}

/// Rows 0 to 9 see nothing, 10 to 29 only keys of the first part, 30 to 69 only of the last, the others of all.
Mask uneven_rows() {
  return Mask::from_slices(
      130, 140,
      std::vector<BandSlice>{BandSlice::full({10, 30}, {3, 20}), BandSlice::full({30, 70}, {100, 140}),
                             BandSlice::causal({70, 130}, {0, 140})});
}

TYPED_TEST(AttentionParts, ASinkCountsOnceInWhicheverCallItIs) {
  for (const double softcap : {0.0, 2.5}) {
    Problem problem(uneven_rows(), {4, 2, 24, 16}, 112);
    problem.options.softcap = softcap;
    problem.add_sink(2, 113);
    const Results expected = expected_results(problem);
    for (const KeyParts& parts : all_key_parts(140)) {
      for (const SinkIn sink_in : {SinkIn::first_call, SinkIn::last_call}) {
        for (const Maxima maxima : {Maxima::asked_for, Maxima::not_asked_for})
          this->check(problem, expected, parts, sink_in, maxima);
      }
    }
  }
}

TYPED_TEST(AttentionParts, RowsThatSeeNothingStayEmpty) {
  const Problem problem(uneven_rows(), {2, 1, 8, 8}, 114);
  for (const std::string& kernel : kernel_names(scalar_type_v<TypeParam>)) {
    for (const Maxima maxima : {Maxima::asked_for, Maxima::not_asked_for}) {
      for (const KeyParts& parts : all_key_parts(140)) {
        SCOPED_TRACE(text(kernel, ", ", parts.size(), " parts"));
        const Results got = run_parts<TypeParam>(problem, parts, kernel, SinkIn::first_call, maxima);
        for (std::int64_t row = 0; row < 10; ++row) {
          for (std::int64_t head = 0; head < 2; ++head) {
            ASSERT_EQ(got.lse(row, head), -std::numeric_limits<double>::infinity()) << row;
            for (std::int64_t i = 0; i < 8; ++i) {
              ASSERT_EQ(got.out(row, head, i), 0) << row;
              ASSERT_EQ(got.dq(row, head, i), 0) << row;
            }
          }
        }
      }
    }
  }
}

TYPED_TEST(AttentionParts, NansGoWhereTheyWouldGoInOneCall) {
  const Problem clean(Mask::from_documents(Documents::from_lengths({60, 80})), {2, 1, 8, 8}, 115);
  for (const std::int64_t key : {2, 70, 130}) {
    for (const bool in_values : {false, true}) {
      Problem problem = clean;
      (in_values ? problem.v : problem.k)(key, 0, 3) = std::numeric_limits<double>::quiet_NaN();
      const Results expected = expected_results(problem);
      for (const std::string& kernel : kernel_names(scalar_type_v<TypeParam>)) {
        for (const KeyParts& parts : all_key_parts(140)) {
          for (const Maxima maxima : {Maxima::asked_for, Maxima::not_asked_for}) {
            SCOPED_TRACE(text(kernel, ", NaN in ", in_values ? "v" : "k", " of key ", key, ", ", parts.size(), " parts",
                              maxima == Maxima::asked_for ? ", with row_max" : ""));
            Results got = run_parts<TypeParam>(problem, parts, kernel, SinkIn::first_call, maxima);
            got.row_max = expected.row_max;
            expect_close(problem, expected, got, scalar_type_v<TypeParam>, accumulator_of(scalar_type_v<TypeParam>),
                         kernel);
          }
        }
      }
    }
  }
}

/// Some rows and heads of a tensor, in the order of the list.
reference::Tensor taken(const reference::Tensor& whole, const std::vector<std::int32_t>& rows, Range heads) {
  reference::Tensor part(static_cast<std::int64_t>(rows.size()), heads.size(), whole.dim);
  for (std::int64_t row = 0; row < part.rows; ++row) {
    for (std::int64_t head = 0; head < part.heads; ++head) {
      for (std::int64_t i = 0; i < part.dim; ++i)
        part(row, head, i) = whole(rows[static_cast<std::size_t>(row)], heads.begin + head, i);
    }
  }
  return part;
}

TYPED_TEST(AttentionParts, DropoutByPositionsHasTheWholesNumbers) {
  constexpr std::int64_t total_q = 61, total_k = 75;
  Problem whole(Mask::from_slices(total_q, total_k, std::vector{BandSlice::full({0, total_q}, {0, total_k})}),
                {4, 2, 16, 16}, 116);
  whole.options.dropout = {.probability = 0.4, .seed = 0x123456789abcdef, .offset = 3};
  const Results expected = expected_results(whole);
  // Every third query, backwards; all keys, dealt like cards; one key head and its query heads at a time.
  std::vector<std::int32_t> keys(total_k);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<std::int32_t>(i * 7 % total_k);
  for (const std::int32_t first : {0, 1, 2}) {
    std::vector<std::int32_t> queries;
    for (std::int32_t row = first; row < total_q; row += 3) queries.insert(queries.begin(), row);
    const auto rows = static_cast<std::int64_t>(queries.size());
    const Mask mask = Mask::from_slices(rows, total_k, std::vector{BandSlice::full({0, rows}, {0, total_k})});
    const auto q_positions = upload(queries), k_positions = upload(keys);
    for (const std::int32_t head_kv : {0, 1}) {
      const Range heads_q = {2 * head_kv, 2 * head_kv + 2}, heads_kv = {head_kv, head_kv + 1};
      Problem part(mask, {2, 1, 16, 16}, 0);
      part.options = whole.options;
      part.q = taken(whole.q, queries, heads_q);
      part.dout = taken(whole.dout, queries, heads_q);
      part.k = taken(whole.k, keys, heads_kv);
      part.v = taken(whole.v, keys, heads_kv);
      for (const std::string& kernel : kernel_names(scalar_type_v<TypeParam>)) {
        SCOPED_TRACE(text(kernel, ", queries from ", first, ", key head ", head_kv));
        DeviceCase<TypeParam, accumulator_t<TypeParam>> device(part);
        device.options.variant = kernel;
        device.options.q_positions = q_positions;
        device.options.k_positions = k_positions;
        device.options.first_head = 2 * head_kv;
        const AttentionPlan<Space> plan(Space(), mask);
        device.forward(Space(), plan);
        device.backward(Space(), plan);
        Space().fence();
        Results got = device.download();
        // The whole's gradients of keys sum over all queries: the reference's sum over these is another problem.
        Problem masked = whole;
        for (std::int64_t row = 0; row < total_q; ++row) {
          if (row % 3 == first) continue;
          for (std::int64_t i = 0; i < 4 * 16; ++i) masked.dout.values[static_cast<std::size_t>(row * 4 * 16 + i)] = 0;
        }
        const Results of_these = expected_results(masked);
        const Results wanted = {taken(expected.out, queries, heads_q),
                                taken(expected.lse, queries, heads_q),
                                taken(expected.row_max, queries, heads_q),
                                taken(expected.dq, queries, heads_q),
                                taken(of_these.dk, keys, heads_kv),
                                taken(of_these.dv, keys, heads_kv),
                                {}};
        expect_close(part, wanted, got, scalar_type_v<TypeParam>, accumulator_of(scalar_type_v<TypeParam>), kernel);
      }
    }
  }
}

/// A forward over all rows against ones over \p ranges of them, bit by bit, with aligned steps.
template <AttentionScalar Scalar>
void expect_same_bits_in_any_call(const Problem& problem, std::initializer_list<Range> ranges, Maxima maxima) {
  const Mask& mask = problem.mask;
  const std::int64_t heads = problem.shape.heads_q, dim = problem.shape.dim_v;
  const Results expected = expected_results(problem);
  const Space space;
  for (const std::string& kernel : kernel_names(scalar_type_v<Scalar>)) {
    const DeviceCase<Scalar> whole(problem);
    AttentionOptions options = whole.options;
    options.variant = kernel;
    options.key_steps = KeySteps::aligned;
    if (maxima == Maxima::not_asked_for) options.row_max = {};
    attention_forward(space, AttentionPlan<Space>(space, mask), whole.q, whole.k, whole.v, whole.out,
                      whole.lse.matrix(), options);
    for (const Range queries : ranges) {
      // Whole tiles of keys may be left out in front, and any keys behind.
      const Mask rows = mask.restricted(queries, {0, mask.total_k()});
      Range keys = {mask.total_k(), 0};
      for (const BandSlice& slice : rows.slices())
        keys = {std::min(keys.begin, slice.k_begin), std::max(keys.end, slice.k_end)};
      for (const bool narrowed : {false, true}) {
        SCOPED_TRACE(
            text(kernel, ", queries [", queries.begin, ", ", queries.end, "), ", narrowed ? "their keys" : "all keys"));
        const Range used =
            narrowed ? Range{keys.begin / impl::tile_rows * impl::tile_rows, keys.end} : Range{0, mask.total_k()};
        const DeviceCase<Scalar> part(problem);
        AttentionOptions own = options;
        if (options.row_max) own.row_max = part.row_max.matrix_rows(queries.begin, queries.end);
        attention_forward(
            space, AttentionPlan<Space>(space, rows.shifted(-queries.begin, -used.begin, queries.size(), used.size())),
            part.q.rows(queries.begin, queries.end), part.k.rows(used.begin, used.end),
            part.v.rows(used.begin, used.end), part.out.rows(queries.begin, queries.end),
            part.lse.matrix_rows(queries.begin, queries.end), own);
        space.fence();
        const Results one = whole.download(), other = part.download();
        for (std::int64_t row = queries.begin; row < queries.end; ++row) {
          for (std::int64_t head = 0; head < heads; ++head) {
            ASSERT_EQ(one.lse(row, head), other.lse(row, head)) << row;
            if (options.row_max) {
              ASSERT_EQ(one.row_max(row, head), other.row_max(row, head)) << row;
            }
            for (std::int64_t i = 0; i < dim; ++i) ASSERT_EQ(one.out(row, head, i), other.out(row, head, i)) << row;
          }
        }
      }
    }
    expect_close("out", expected.out, whole.out.download(), {2e-2, 2e-2});
  }
}

TYPED_TEST(AttentionParts, AlignedStepsGiveARowTheSameBitsInAnyCall) {
  Problem problem(Mask::from_documents(Documents::from_lengths({230, 150, 120}), {.window = {170, 0}}), {2, 1, 16, 16},
                  117);
  problem.add_sink(1, 118);
  expect_same_bits_in_any_call<TypeParam>(problem, {{0, 1}, {5, 140}, {129, 131}, {201, 380}, {499, 500}},
                                          Maxima::asked_for);
}

// Kernels let weights grow before they follow a row's maximum: when they do is a matter of each row by itself.
TYPED_TEST(AttentionParts, AlignedStepsGiveARowTheSameBitsWhereLogitsGrow) {
  Problem problem(Mask::from_documents(Documents::from_lengths({660, 40})), {2, 1, 16, 16}, 120);
  for (std::int64_t key = 0; key < problem.mask.total_k(); ++key) {
    for (std::int64_t i = 0; i < 16; ++i) problem.k(key, 0, i) *= 1 + static_cast<double>(key) / 60;
  }
  for (const Maxima maxima : {Maxima::asked_for, Maxima::not_asked_for})
    expect_same_bits_in_any_call<TypeParam>(problem, {{0, 1}, {5, 140}, {389, 390}, {301, 655}, {641, 700}}, maxima);
}

// Nor does what weights are relative to where a row begins: rows side by side with logits about 0, close to it and far off.
TYPED_TEST(AttentionParts, AlignedStepsGiveARowTheSameBitsWhereverItsLogitsAre) {
  Problem problem(Mask::from_documents(Documents::from_lengths({390, 170, 40})), {2, 1, 16, 16}, 121);
  const std::array offsets = {0.0, 2.0, -6.0, -40.0, 300.0, -300.0, 8.0};
  problem.options.scale = 0.25;
  for (std::int64_t key = 0; key < problem.mask.total_k(); ++key) problem.k(key, 0, 15) = 1;
  for (std::int64_t row = 0; row < problem.mask.total_q(); ++row) {
    for (std::int64_t head = 0; head < 2; ++head)
      problem.q(row, head, 15) = offsets[static_cast<std::size_t>(row + head) % offsets.size()] / 0.25;
  }
  for (const Maxima maxima : {Maxima::asked_for, Maxima::not_asked_for})
    expect_same_bits_in_any_call<TypeParam>(problem, {{0, 1}, {5, 140}, {381, 382}, {301, 555}, {541, 600}}, maxima);
}

TEST(AttentionPartsErrors, OfPositions) {
  Problem problem(Mask::from_documents(Documents::from_lengths({20, 13})), {4, 2, 8, 8}, 119);
  problem.options.dropout.probability = 0.5;
  const DeviceCase<float> device(problem);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  const auto fails = [&](std::initializer_list<std::string_view> parts, const auto& change) {
    AttentionOptions options = device.options;
    change(options);
    expect_invalid(parts, [&] {
      attention_forward(Space(), plan, device.q, device.k, device.v, device.out, device.lse.matrix(), options);
    });
    expect_invalid(parts, [&] {
      attention_backward(Space(), plan, device.dout, device.q, device.k, device.v, device.out, device.lse.matrix(),
                         device.dq, device.dk, device.dv, options);
    });
    Space().fence();
    EXPECT_TRUE(device.outputs_untouched()) << "an output was written before the error";
  };
  const Kokkos::View<std::int64_t*, Space> longs("test", 33);
  const Kokkos::View<std::int32_t*, Space> few("test", 32);
  const Kokkos::View<std::int32_t**, Space> table("test", 33, 1);
  fails({"q_positions must be a View of rank 1 of std::int32_t"}, [&](auto& o) { o.q_positions = longs; });
  fails({"k_positions must be a View of rank 1 of std::int32_t"}, [&](auto& o) { o.k_positions = table; });
  fails({"q_positions has 32 rows", "total_q = 33"}, [&](auto& o) { o.q_positions = few; });
  fails({"k_positions has 32 rows", "total_k = 33"}, [&](auto& o) { o.k_positions = few; });
  const Kokkos::View<std::int32_t**, Kokkos::LayoutRight, Space> wide("test", 33, 2);
  fails({"q_positions has stride 2", "must be 1"},
        [&](auto& o) { o.q_positions = Kokkos::subview(wide, Kokkos::ALL, 0); });
  fails({"first_head = -1", "must not be negative"}, [](auto& o) { o.first_head = -1; });
}

}  // namespace
}  // namespace caesura::testing
