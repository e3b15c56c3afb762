// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace caesura::testing {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

template <class Scalar>
class NonFinite : public ::testing::Test {
 protected:
  static DeviceCase<Scalar> run(const Problem& problem, const std::string& variant, SumOrder sums = SumOrder::fixed) {
    const AttentionPlan<Space> plan(Space(), problem.mask);
    DeviceCase<Scalar> device(problem);
    device.options.variant = variant;
    device.options.sums = sums;
    device.forward(Space(), plan);
    device.backward(Space(), plan);
    Space().fence();
    return device;
  }

  /// The bits of rows [begin, end).
  template <class Tensor>
  static std::vector<std::byte> rows(const Tensor& tensor, std::int64_t total, Range range) {
    const auto bits = tensor.bits();
    const auto row = static_cast<std::ptrdiff_t>(bits.size()) / total;
    return {bits.begin() + range.begin * row, bits.begin() + range.end * row};
  }

  /// Outside its rows [begin, end), a result is what it would be without the NaN: up to rounding, since kernels may
  /// sum in another way where they meet one.
  static void expect_clean_outside(Range range, const Problem& clean, const Results& expected, Results got,
                                   const std::string& variant) {
    const auto cover = [&](reference::Tensor& tensor, const reference::Tensor& by) {
      for (std::int64_t row = range.begin; row < range.end; ++row) {
        for (std::int64_t head = 0; head < tensor.heads; ++head) {
          for (std::int64_t i = 0; i < tensor.dim; ++i) tensor(row, head, i) = by(row, head, i);
        }
      }
    };
    cover(got.out, expected.out);
    cover(got.lse, expected.lse);
    cover(got.row_max, expected.row_max);
    cover(got.dq, expected.dq);
    cover(got.dk, expected.dk);
    cover(got.dv, expected.dv);
    expect_close(clean, expected, got, scalar_type_v<Scalar>, scalar_type_v<Scalar>, variant);
  }
};
using Scalars = ::testing::Types<double, float, half, bfloat16>;
TYPED_TEST_SUITE(NonFinite, Scalars);

TYPED_TEST(NonFinite, NansStayInTheirDocument) {
  // Three documents share the first tile of queries and of keys.
  const Mask documents = Mask::from_documents(Documents::from_lengths({30, 50, 90}));
  for (const auto& [mask, softcap] : {std::pair(documents, 0.0), std::pair(documents, 2.0),
                                      std::pair(joined(documents), 0.0), std::pair(joined(documents), 2.0)}) {
    Problem clean(mask, {4, 2, 24, 40}, 61);
    clean.options.softcap = softcap;
    const Results clean_expected = expected_results(clean);
    for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
      for (int tensor = 0; tensor < 4; ++tensor) {
        for (const double value : {nan, std::numeric_limits<double>::infinity()}) {
          SCOPED_TRACE(text(name, ", softcap ", softcap, ", ", value, " in ",
                            std::array{"q", "k", "v", "dout"}[static_cast<std::size_t>(tensor)]));
          Problem problem = clean;
          const std::array<reference::Tensor*, 4> tensors = {&problem.q, &problem.k, &problem.v, &problem.dout};
          (*tensors[static_cast<std::size_t>(tensor)])(47, 1, 5) = value;
          for (const SumOrder sums : {SumOrder::fixed, SumOrder::any}) {
            const auto got = this->run(problem, name, sums);
            this->expect_clean_outside({30, 80}, clean, clean_expected, got.download(), name);
            if (!std::isnan(value)) continue;
            // In its own document a NaN goes where the mathematics lets it go, and nowhere else.
            Results results = got.download(), expected = expected_results(problem);
            results.row_max = expected.row_max;
            expect_close(problem, expected, results, scalar_type_v<TypeParam>, scalar_type_v<TypeParam>, name);
          }
        }
      }
    }
  }
}

TYPED_TEST(NonFinite, RowsBeforeAValueDoNotMeetIt) {
  // Document 0 has its value among the keys of its last rows alone, document 2 in its first ones.
  for (const std::int64_t dim_v : {40, 64}) {
    const Problem clean(Mask::from_documents(Documents::from_lengths({30, 20, 30, 7})), {4, 2, 24, dim_v}, 66);
    const Results expected = expected_results(clean);
    for (const std::int64_t key : {27, 12, 53, 75}) {
      const std::int64_t end = key < 30 ? 30 : 80;
      for (const double value : {nan, std::numeric_limits<double>::infinity()}) {
        Problem problem = clean;
        problem.v(key, 1, 5) = value;
        for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
          SCOPED_TRACE(text(name, ", dim of v ", dim_v, ", ", value, " in key ", key));
          const AttentionPlan<Space> plan(Space(), problem.mask);
          DeviceCase<TypeParam> device(problem);
          device.options.variant = name;
          device.forward(Space(), plan);
          Space().fence();
          Results got = expected;
          got.out = device.out.download();
          for (std::int64_t row = key; row < end; ++row) {
            for (std::int64_t head = 2; head < 4; ++head) {
              EXPECT_FALSE(std::isfinite(got.out(row, head, 5)));
              got.out(row, head, 5) = expected.out(row, head, 5);
            }
          }
          expect_close(clean, expected, got, scalar_type_v<TypeParam>, scalar_type_v<TypeParam>, name);
        }
      }
    }
  }
}

TYPED_TEST(NonFinite, ValuesThatNobodySeesAreNeverMixedIn) {
  // Keys 40 to 59 and 100 to 119 are seen by no row; rows 50 to 59 see nothing.
  const std::vector<BandSlice> slices = {BandSlice::full({0, 50}, {0, 40}), BandSlice::causal({60, 130}, {60, 100}),
                                         BandSlice::full({60, 130}, {120, 140})};
  const Problem clean(Mask::from_slices(130, 140, slices), {4, 2, 24, 40}, 62);
  Problem problem = clean;
  for (std::int64_t row = 0; row < 140; ++row) {
    const bool is_seen = row < 40 || (row >= 60 && row < 100) || row >= 120;
    for (std::int64_t head = 0; head < 4; ++head) {
      for (std::int64_t i = 0; i < 40; ++i) {
        if (!is_seen && head < 2) problem.v(row, head, i) = i % 2 ? nan : std::numeric_limits<double>::infinity();
        if (!is_seen && head < 2 && i < 24) problem.k(row, head, i) = nan;
        if (row >= 50 && row < 60) problem.dout(row, head, i) = nan;
        if (row >= 50 && row < 60 && i < 24) problem.q(row, head, i) = nan;
      }
    }
  }
  const Results expected = expected_results(clean);
  for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
    SCOPED_TRACE(name);
    for (const SumOrder sums : {SumOrder::fixed, SumOrder::any}) {
      const auto got = this->run(problem, name, sums);
      expect_close(clean, expected, got.download(), scalar_type_v<TypeParam>, scalar_type_v<TypeParam>, name);
    }
  }
}

TYPED_TEST(NonFinite, GradientsOutsideWhatWasSeenAreZeroBitForBit) {
  const std::vector<BandSlice> slices = {BandSlice::full({10, 50}, {20, 40})};
  Problem problem(Mask::from_slices(130, 140, slices), {4, 2, 24, 40}, 63);
  for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
    for (const double scale : {0.5, -0.5}) {
      SCOPED_TRACE(text(name, ", scale ", scale));
      problem.options.scale = scale;
      const auto got = this->run(problem, name);
      const auto expect_zero = [&](const auto& tensor, std::int64_t total, Range range) {
        for (const std::byte b : this->rows(tensor, total, range)) ASSERT_EQ(b, std::byte{0});
      };
      for (const Range range : {Range{0, 10}, Range{50, 130}}) {
        expect_zero(got.out, 130, range);
        expect_zero(got.dq, 130, range);
      }
      for (const Range range : {Range{0, 20}, Range{40, 140}}) {
        expect_zero(got.dk, 140, range);
        expect_zero(got.dv, 140, range);
      }
    }
  }
}

TYPED_TEST(NonFinite, LargeLogitsNeitherOverflowNorVanish) {
  // One dim: a query of 100 and a key of +-100 make logits of +-1e4, exactly.
  Problem problem(Mask::from_documents(Documents::from_lengths({50, 90})), {2, 1, 1, 8}, 64);
  Random random(65);
  for (double& x : problem.q.values) x = random.chance(0.5) ? 100 : -100;
  for (double& x : problem.k.values) x = random.chance(0.5) ? 100 : -100;
  problem.options.scale = 1;
  for (const double sink : {-1e4, 0.0, 1e4}) {
    problem.options.sink = reference::Tensor(2, 1, 1, sink);
    const Results expected = expected_results(problem);
    for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
      SCOPED_TRACE(text(name, ", sink ", sink));
      const Results got = this->run(problem, name).download();
      expect_close("out", expected.out, got.out, {1e-2, 1e-2});
      expect_close("lse", expected.lse, got.lse, {1e-6, 1e-5});
      expect_close("row_max", expected.row_max, got.row_max, {1e-6, 0});
      expect_close("dv", expected.dv, got.dv, {2e-2, 2e-1});
      for (const auto* tensor : {&got.dq, &got.dk, &got.dsink}) {
        for (const double x : tensor->values) ASSERT_TRUE(std::isfinite(x));
      }
    }
  }
}

/// Half reaches no logit of -inf with finite numbers.
template <class Scalar>
class InfiniteLogits : public NonFinite<Scalar> {};
using WideScalars = ::testing::Types<double, float, bfloat16>;
TYPED_TEST_SUITE(InfiniteLogits, WideScalars);

TYPED_TEST(InfiniteLogits, RowsOfMinusInfinityAlone) {
  const double huge = std::is_same_v<TypeParam, double> ? 1e200 : 1e30;
  // Document 0: every logit is -inf. Document 1: those of even keys are. Document 2: ordinary.
  const Mask mask = Mask::from_documents(Documents::from_lengths({20, 30, 90}));
  for (const bool with_sink : {false, true}) {
    Problem problem(mask, {2, 1, 1, 8}, 66);
    problem.options.scale = 1;
    if (with_sink) problem.options.sink = reference::Tensor(2, 1, 1, 0.5);
    for (std::int64_t row = 0; row < 50; ++row) {
      problem.q(row, 0) = problem.q(row, 1) = huge;
      problem.k(row, 0) = row < 20 || row % 2 == 0 ? -huge : 0;
    }
    for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
      SCOPED_TRACE(text(name, with_sink ? ", sink" : ""));
      const Results got = this->run(problem, name).download();
      for (const auto* tensor : {&got.out, &got.dq, &got.dk, &got.dv}) {
        for (const double x : tensor->values) ASSERT_FALSE(std::isnan(x));
      }
      for (std::int64_t row = 0; row < 20; ++row) {
        for (std::int64_t i = 0; i < 8; ++i) {
          ASSERT_EQ(got.out(row, 1, i), 0) << row;
          ASSERT_EQ(got.dv(row, 0, i), 0) << row;
        }
        if (with_sink) {
          ASSERT_NEAR(got.lse(row, 1), 0.5, 1e-6) << row;
        } else {
          ASSERT_EQ(got.lse(row, 1), -std::numeric_limits<double>::infinity()) << row;
        }
        ASSERT_EQ(got.row_max(row, 1), -std::numeric_limits<double>::infinity());
      }
      // Row 20 sees key 20 alone, which is even.
      ASSERT_EQ(got.out(20, 0, 3), 0);
      // Row 22 sees keys 20 and 22, of -inf, and 21, of 0.
      const double p = with_sink ? 1 / (1 + std::exp(0.5)) : 1;
      ASSERT_NEAR(got.out(22, 0, 3), p * problem.v(21, 0, 3), 0.01);
      ASSERT_NEAR(got.lse(22, 0), -std::log(p), 1e-6);
    }
  }
}

}  // namespace
}  // namespace caesura::testing
