// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/attention_plan.hpp>
#include <caesura/batch.hpp>
#include <support/errors.hpp>
#include <support/lowered.hpp>
#include <support/masks.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

using Offsets = std::vector<std::int64_t>;

template <class Index>
std::vector<Index> narrowed(const Offsets& offsets) {
  std::vector<Index> result;
  for (const std::int64_t x : offsets) result.push_back(static_cast<Index>(x));
  return result;
}

Offsets sums(const Offsets& lengths, std::int64_t begin = 0) {
  Offsets result = {begin};
  for (const std::int64_t length : lengths) result.push_back(result.back() + length);
  return result;
}

TEST(Lowering, KeepsEveryPairOfAMask) {
  for (const NamedMask& named : kernel_masks()) {
    SCOPED_TRACE(named.name);
    expect_plan(AttentionPlan<Space>(Space(), named.mask), pairs_of(named.mask));
  }
}

TEST(Lowering, KeepsEveryPairOfRandomRectangles) {
  for (const std::int64_t count : {10, 100, 1000}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE(text(count, " rectangles, seed ", seed));
      const Mask mask = random_rectangles(513, 123, count, seed);
      expect_plan(AttentionPlan<Space>(Space(), mask), pairs_of(mask));
    }
    const Mask large = random_rectangles(1023, 2077, count, 77);
    expect_plan(AttentionPlan<Space>(Space(), large), pairs_of(large));
  }
}

TEST(Lowering, PlansTheForwardAlone) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({100, 80, 76}));
  const AttentionPlan<Space> forward(Space(), mask, {.passes = Passes::forward}), both(Space(), mask);
  EXPECT_EQ(forward.passes(), Passes::forward);
  EXPECT_LT(forward.memory_bytes(), both.memory_bytes());
  expect_plan(forward, pairs_of(mask));
}

TEST(Lowering, EmptyTotalsAreFine) {
  expect_plan(AttentionPlan<Space>(Space(), Mask::from_slices(0, 0, {})), Pairs(0, 0));
  expect_plan(AttentionPlan<Space>(Space(), Mask::from_slices(5, 0, {})), Pairs(5, 0));
  expect_plan(AttentionPlan<Space>(Space(), Mask::from_slices(0, 5, {})), Pairs(0, 5));
  const auto cu = upload(std::vector<std::int32_t>{0});
  expect_plan(AttentionPlan<Space>(Space(), {.cu_seqlens_q = cu, .total_q = 0}), Pairs(0, 0));
  expect_plan(AttentionPlan<Space>(Space(), {.cu_seqlens_q = cu, .total_q = 9}), Pairs(9, 9));
}

/// Plans from device offsets of random documents equal those from the host's mask, for both widths of offsets.
template <class Index>
class DeviceOffsets : public ::testing::Test {
 protected:
  static constexpr std::uint64_t seed = 41;

  static auto up(const Offsets& offsets) { return upload(narrowed<Index>(offsets)); }
};
using Indices = ::testing::Types<std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(DeviceOffsets, Indices);

TYPED_TEST(DeviceOffsets, PackedEqualTheHostMask) {
  Random random(this->seed);
  for (int i = 0; i < 1500 && !::testing::Test::HasFailure(); ++i) {
    const Offsets cu = sums(random.lengths(6, 70));
    const std::int64_t total = cu.back() + (random.chance(0.3) ? random.integer(0, 40) : 0);
    const DocumentMask rule = random.rule(40);
    const Documents documents = Documents::from_cu_seqlens(std::span<const std::int64_t>(cu), total);
    SCOPED_TRACE(text("seed ", this->seed, " draw ", i, ": ", describe(rule), "; ", describe(documents)));
    const auto device = this->up(cu);
    const AttentionPlan<Space> plan(Space(), {.cu_seqlens_q = device, .total_q = total}, rule);
    expect_plan(plan, pairs_of(Mask::from_documents(documents, rule)));
    plan.validate(Space());
  }
}

TYPED_TEST(DeviceOffsets, CrossEqualTheHostMask) {
  Random random(this->seed + 1);
  for (int i = 0; i < 1000 && !::testing::Test::HasFailure(); ++i) {
    const Offsets lengths_q = random.lengths(5, 60);
    Offsets lengths_k = lengths_q;
    for (std::int64_t& length : lengths_k) length = random.chance(0.2) ? 0 : random.integer(0, 60);
    const DocumentMask rule = random.rule(40);
    const Documents documents = Documents::from_lengths(lengths_q, lengths_k);
    SCOPED_TRACE(text("seed ", this->seed, " draw ", i, ": ", describe(rule), "; ", describe(documents)));
    const auto cu_q = this->up(sums(lengths_q)), cu_k = this->up(sums(lengths_k));
    const AttentionPlan<Space> plan(
        Space(),
        {.cu_seqlens_q = cu_q, .cu_seqlens_k = cu_k, .total_q = documents.total_q(), .total_k = documents.total_k()},
        rule);
    expect_plan(plan, pairs_of(Mask::from_documents(documents, rule)));
    plan.validate(Space());
  }
}

TYPED_TEST(DeviceOffsets, PaddedEqualTheHostMask) {
  Random random(this->seed + 2);
  for (int i = 0; i < 1000 && !::testing::Test::HasFailure(); ++i) {
    const bool is_cross = random.chance(0.5);
    const Offsets lengths_q = random.lengths(5, 50);
    Offsets lengths_k = lengths_q;
    if (is_cross) {
      for (std::int64_t& length : lengths_k) length = random.integer(0, 50);
    }
    const auto places = [&](Offsets lengths) {
      for (std::int64_t& length : lengths) length += random.chance(0.5) ? random.integer(0, 9) : 0;
      return sums(lengths, random.integer(0, 5));
    };
    const Offsets cu_q = sums(lengths_q), cu_k = sums(lengths_k), padded_q = places(lengths_q);
    const Offsets padded_k = is_cross ? places(lengths_k) : padded_q;
    const DocumentMask rule = random.rule(40);
    const Documents documents = Documents::from_padded(cu_q, padded_q, cu_k, padded_k);
    SCOPED_TRACE(text("seed ", this->seed, " draw ", i, ": ", describe(rule), "; ", describe(documents)));
    const auto q = this->up(cu_q), k = this->up(cu_k), at_q = this->up(padded_q), at_k = this->up(padded_k);
    PackedOffsets offsets = {.cu_seqlens_q = q, .cu_seqlens_q_padded = at_q, .total_q = documents.total_q()};
    if (is_cross) {
      offsets.cu_seqlens_k = k;
      offsets.cu_seqlens_k_padded = at_k;
      offsets.total_k = documents.total_k();
    }
    const AttentionPlan<Space> plan(Space(), offsets, rule);
    expect_plan(plan, pairs_of(Mask::from_documents(documents, rule)));
    plan.validate(Space());
  }
}

TYPED_TEST(DeviceOffsets, BatchedEqualTheHostMask) {
  Random random(this->seed + 3);
  for (int i = 0; i < 500 && !::testing::Test::HasFailure(); ++i) {
    const std::int64_t batch = random.integer(1, 4), seq = random.integer(1, 60), entries = random.integer(1, 7);
    const DocumentMask rule = random.rule(40);
    std::vector<std::int32_t> flat;
    for (std::int64_t b = 0; b < batch; ++b) {
      std::vector<std::int32_t> row(static_cast<std::size_t>(entries));
      for (std::size_t e = 1; e < row.size(); ++e) row[e] = static_cast<std::int32_t>(random.integer(0, seq));
      std::sort(row.begin(), row.end());
      flat.insert(flat.end(), row.begin(), row.end());
    }
    const Documents documents = Documents::from_batch(flat, batch, seq);
    SCOPED_TRACE(text("seed ", this->seed, " draw ", i, ": ", describe(rule), "; ", describe(documents)));
    const auto device = upload(std::vector<TypeParam>(flat.begin(), flat.end()));
    const Kokkos::View<TypeParam**, Kokkos::LayoutRight, Space::memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>
        table(device.data(), static_cast<std::size_t>(batch), static_cast<std::size_t>(entries));
    const AttentionPlan<Space> plan(Space(), batch_offsets(table, seq), rule);
    expect_plan(plan, pairs_of(Mask::from_documents(documents, rule)));
    plan.validate(Space());
  }
}

TYPED_TEST(DeviceOffsets, UpdateLowersOthersIntoTheSameMemory) {
  Random random(this->seed + 4);
  constexpr std::int64_t total = 300;
  DocumentMask rule = {.window = {20, 0}};
  const auto first = this->up({0, 100, 300, 300, 300});
  AttentionPlan<Space> plan(Space(), {.cu_seqlens_q = first, .total_q = total}, rule);
  const auto* memory = plan.rows().intervals.first;
  for (int i = 0; i < 200 && !::testing::Test::HasFailure(); ++i) {
    Offsets cu = {0};
    for (int document = 0; document < 4; ++document) cu.push_back(random.integer(cu.back(), total));
    rule.window.left = random.integer(0, 50);
    rule.kind = static_cast<MaskKind>(random.integer(0, 4));
    SCOPED_TRACE(text("seed ", this->seed, " draw ", i, ": ", describe(rule)));
    const auto device = this->up(cu);
    plan.update(Space(), {.cu_seqlens_q = device, .total_q = total}, rule);
    const Documents documents = Documents::from_cu_seqlens(std::span<const std::int64_t>(cu), total);
    expect_plan(plan, pairs_of(Mask::from_documents(documents, rule)));
    EXPECT_EQ(plan.rows().intervals.first, memory);
  }
}

TYPED_TEST(DeviceOffsets, BadOnesNeverLeaveTheTotals) {
  Random random(this->seed + 5);
  constexpr auto most = std::numeric_limits<TypeParam>::max();
  for (int i = 0; i < 1000 && !::testing::Test::HasFailure(); ++i) {
    const auto make = [&] {
      std::vector<TypeParam> cu(6);
      for (TypeParam& x : cu) {
        const std::int64_t kind = random.integer(0, 9);
        x = kind == 0 ? most : kind == 1 ? -most - 1 : static_cast<TypeParam>(random.integer(-50, 200));
      }
      return upload(cu);
    };
    SCOPED_TRACE(text("seed ", this->seed, " draw ", i));
    const auto q = make(), k = make(), at_q = make(), at_k = make();
    PackedOffsets offsets = {.cu_seqlens_q = q, .cu_seqlens_k = k, .total_q = 140, .total_k = 131};
    if (random.chance(0.5)) offsets.cu_seqlens_q_padded = at_q;
    if (random.chance(0.5)) offsets.cu_seqlens_k_padded = at_k;
#ifdef CAESURA_CHECKS
    EXPECT_THROW(AttentionPlan<Space>(Space(), offsets, random.rule(40)), Error);
#else
    const AttentionPlan<Space> plan(Space(), offsets, random.rule(40));
    HostLowered(plan.rows(), plan.total_k()).expect_inside();
    HostLowered(plan.columns(), plan.total_q()).expect_inside();
    EXPECT_THROW(plan.validate(Space()), Error);
#endif
  }
}

/// The text that the device check reports.
void expect_violation(std::initializer_list<std::string_view> parts, const PackedOffsets& offsets) {
  expect_invalid(parts, [&] {
    const AttentionPlan<Space> plan(Space(), offsets);
    plan.validate(Space());
  });
}

TYPED_TEST(DeviceOffsets, ViolationsNameEntryValueAndRule) {
  const auto good = this->up({0, 4, 9}), decreasing = this->up({0, 6, 4}), late = this->up({2, 6, 9});
  const auto beyond = this->up({0, 6, 11}), tight = this->up({0, 3, 9}), negative = this->up({-1, 4, 9});
  expect_violation({"cu_seqlens_q[2] = 4:", "below the entry before it, 6"},
                   {.cu_seqlens_q = decreasing, .total_q = 10});
  expect_violation({"cu_seqlens_q[0] = 2: must start at 0"}, {.cu_seqlens_q = late, .total_q = 10});
  expect_violation({"cu_seqlens_q[2] = 11: passes the end, total_q = 10"}, {.cu_seqlens_q = beyond, .total_q = 10});
  expect_violation({"cu_seqlens_k[2] = 11: passes the end, total_k = 10"},
                   {.cu_seqlens_q = good, .cu_seqlens_k = beyond, .total_q = 10, .total_k = 10});
  expect_violation({"cu_seqlens_q_padded[1] = 3:", "document 0 does not fit"},
                   {.cu_seqlens_q = good, .cu_seqlens_q_padded = tight, .total_q = 10});
  expect_violation({"cu_seqlens_q_padded[0] = -1:", "negative"},
                   {.cu_seqlens_q = good, .cu_seqlens_q_padded = negative, .total_q = 10});
}

TEST(PlanErrors, BatchedViolationsNameTheirRow) {
  const auto cu = upload(std::vector<std::int32_t>{0, 4, 9, 0, 7, 5});
  const Kokkos::View<std::int32_t**, Kokkos::LayoutRight, Space::memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>
      table(cu.data(), 2, 3);
  expect_violation({"cu_seqlens_q[1][2] = 5:", "below the entry before it, 7"}, batch_offsets(table, 10));
}

TEST(PlanErrors, WhatTheHostCanSeeIsReportedAtOnce) {
  const auto cu = upload(std::vector<std::int32_t>{0, 4, 9}), longer = upload(std::vector<std::int32_t>{0, 4, 9, 9});
  const auto make = [](const PackedOffsets& offsets, const DocumentMask& rule = {}) {
    AttentionPlan<Space>(Space(), offsets, rule);
  };
  expect_invalid({"AttentionPlan: cu_seqlens_q", "not given"}, [&] { make({.cu_seqlens_q = {}, .total_q = 9}); });
  expect_invalid({"AttentionPlan: total_q = -1:"}, [&] { make({.cu_seqlens_q = cu, .total_q = -1}); });
  expect_invalid({"AttentionPlan: total_q = 2147483648:"},
                 [&] { make({.cu_seqlens_q = cu, .total_q = std::int64_t{1} << 31}); });
  expect_invalid({"AttentionPlan: total_k = 2147483648:"},
                 [&] { make({.cu_seqlens_q = cu, .total_q = 9, .total_k = std::int64_t{1} << 31}); });
  expect_invalid({"cu_seqlens_k has extents (4)", "cu_seqlens_q, (3)"},
                 [&] { make({.cu_seqlens_q = cu, .cu_seqlens_k = longer, .total_q = 9}); });
  expect_invalid({"window.left = -3:"}, [&] { make({.cu_seqlens_q = cu, .total_q = 9}, {.window = {-3, 0}}); });
  const Kokkos::View<float*, Space> floats("test", 3);
  expect_invalid({"cu_seqlens_q", "int32 or int64"}, [&] { make({.cu_seqlens_q = floats, .total_q = 9}); });
  const Kokkos::View<std::int32_t***, Space> cube("test", 2, 2, 2);
  expect_invalid({"cu_seqlens_q has rank 3"}, [&] { make({.cu_seqlens_q = cube, .total_q = 9}); });
  const Kokkos::View<std::int32_t*, Space> none("test", 0);
  expect_invalid({"cu_seqlens_q has no entries"}, [&] { make({.cu_seqlens_q = none, .total_q = 9}); });
  const Kokkos::View<std::int32_t**, Kokkos::LayoutLeft, Space> left("test", 3, 4);
  expect_invalid({"cu_seqlens_q has stride 3"}, [&] { make({.cu_seqlens_q = left, .total_q = 9}); });
}

TEST(PlanErrors, HostMasksOf32BitsAndMore) {
  const std::int64_t most = std::int64_t{1} << 31;
  expect_invalid({"AttentionPlan: total_q = 2147483648:"},
                 [&] { AttentionPlan<Space>(Space(), Mask::from_slices(most, 1, {})); });
  expect_invalid({"AttentionPlan: total_k = 2147483648:"},
                 [&] { AttentionPlan<Space>(Space(), Mask::from_slices(1, most, {})); });
}

TEST(PlanErrors, MemoryThatIsNotThereIsNamedInBytes) {
  // 2,000 layers of 2^30 rows: 8 TiB for each array.
  std::vector<BandSlice> slices;
  for (std::int64_t i = 0; i < 2000; ++i)
    slices.push_back(BandSlice::full({0, std::int64_t{1} << 30}, {2 * i, 2 * i + 1}));
  const Mask mask = Mask::from_slices(std::int64_t{1} << 30, 4000, slices);
  expect_error(ErrorKind::resources, {"bytes asked", "8589934592000", "bytes are there"},
               [&] { AttentionPlan<Space>(Space(), mask); });
}

TEST(PlanErrors, UpdateKeepsTheCapacity) {
  const auto cu = upload(std::vector<std::int32_t>{0, 4, 9});
  AttentionPlan<Space> plan(Space(), {.cu_seqlens_q = cu, .total_q = 9});
  expect_invalid({"AttentionPlan::update: total_q = 10:", "9"},
                 [&] { plan.update(Space(), {.cu_seqlens_q = cu, .total_q = 10}); });
  expect_invalid({"AttentionPlan::update: total_k = 10:", "9"},
                 [&] { plan.update(Space(), {.cu_seqlens_q = cu, .total_q = 9, .total_k = 10}); });
  expect_invalid({"AttentionPlan::update:", "layers = 2"}, [&] {
    plan.update(Space(), {.cu_seqlens_q = cu, .total_q = 9}, {.window = {2, 0}, .prefix = 1});
  });
  AttentionPlan<Space> from_mask(Space(), Mask::from_documents(Documents::from_lengths({4, 5})));
  expect_invalid({"AttentionPlan::update", "host mask"},
                 [&] { from_mask.update(Space(), {.cu_seqlens_q = cu, .total_q = 9}); });
}

}  // namespace
}  // namespace caesura::testing
