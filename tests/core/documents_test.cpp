// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/documents.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace caesura::testing {
namespace {

using Offsets = std::vector<std::int64_t>;
using Offsets32 = std::vector<std::int32_t>;

Documents from_cu(const Offsets& cu, std::int64_t total = -1) {
  return Documents::from_cu_seqlens(std::span<const std::int64_t>(cu), total);
}
Documents from_padded(const Offsets& cu, const Offsets& padded) {
  return Documents::from_padded(std::span<const std::int64_t>(cu), std::span<const std::int64_t>(padded));
}
Documents from_batch(const Offsets32& cu, std::int64_t batch, std::int64_t seq) {
  return Documents::from_batch(std::span<const std::int32_t>(cu), batch, seq);
}

void expect_documents(const Documents& documents, const std::vector<Document>& expected) {
  ASSERT_EQ(documents.count(), static_cast<std::int64_t>(expected.size()));
  for (std::int64_t i = 0; i < documents.count(); ++i) {
    EXPECT_EQ(documents[i], expected[static_cast<std::size_t>(i)]) << "document " << i;
  }
}

TEST(Documents, LengthsLieOneBehindTheOther) {
  const Documents documents = Documents::from_lengths({4, 0, 3});
  EXPECT_EQ(documents.total_q(), 7);
  EXPECT_EQ(documents.total_k(), 7);
  expect_documents(documents, {{{0, 4}, {0, 4}}, {{4, 4}, {4, 4}}, {{4, 7}, {4, 7}}});
}

TEST(Documents, CrossLengthsKeepTwoCounts) {
  const Documents documents = Documents::from_lengths(Offsets{4, 0, 3}, Offsets{1, 2, 0});
  EXPECT_EQ(documents.total_q(), 7);
  EXPECT_EQ(documents.total_k(), 3);
  expect_documents(documents, {{{0, 4}, {0, 1}}, {{4, 4}, {1, 3}}, {{4, 7}, {3, 3}}});
}

TEST(Documents, NoneAtAllIsFine) {
  EXPECT_EQ(Documents::from_lengths(Offsets{}).total_q(), 0);
  EXPECT_EQ(from_cu({0}).count(), 0);
  EXPECT_EQ(from_cu({0}, 12).total_q(), 12);
}

TEST(Documents, OffsetsOfBothWidthsAgree) {
  const Offsets wide = {0, 4, 4, 9, 9};
  const Offsets32 narrow = {0, 4, 4, 9, 9};
  const Documents a = from_cu(wide), b = Documents::from_cu_seqlens(std::span<const std::int32_t>(narrow));
  ASSERT_EQ(a.count(), 4);
  expect_documents(b, {a.begin(), a.end()});
}

TEST(Documents, ATotalAddsPaddingBehindTheLast) {
  const Documents documents = from_cu({0, 3, 5}, 8);
  EXPECT_EQ(documents.total_q(), 8);
  EXPECT_EQ(documents.total_k(), 8);
  expect_documents(documents, {{{0, 3}, {0, 3}}, {{3, 5}, {3, 5}}});
}

TEST(Documents, PaddedOffsetsLeaveGaps) {
  const Documents documents = from_padded({0, 3, 5}, {1, 6, 8});
  EXPECT_EQ(documents.total_q(), 8);
  expect_documents(documents, {{{1, 4}, {1, 4}}, {{6, 8}, {6, 8}}});
}

TEST(Documents, PaddedCrossOffsetsKeepBothPlaces) {
  const Offsets cu_q = {0, 3, 5}, padded_q = {0, 4, 8}, cu_k = {0, 1, 7}, padded_k = {2, 3, 10};
  const Documents documents = Documents::from_padded(cu_q, padded_q, cu_k, padded_k);
  EXPECT_EQ(documents.total_q(), 8);
  EXPECT_EQ(documents.total_k(), 10);
  expect_documents(documents, {{{0, 3}, {2, 3}}, {{4, 6}, {3, 9}}});
}

TEST(Documents, BatchRowsAreFlattened) {
  const Documents documents = from_batch({0, 3, 6, 6, 0, 2, 2, 5}, 2, 6);
  EXPECT_EQ(documents.total_q(), 12);
  expect_documents(
      documents,
      {{{0, 3}, {0, 3}}, {{3, 6}, {3, 6}}, {{6, 6}, {6, 6}}, {{6, 8}, {6, 8}}, {{8, 8}, {8, 8}}, {{8, 11}, {8, 11}}});
}

TEST(DocumentsErrors, LengthsBelowZero) {
  expect_invalid({"Documents::from_lengths: lengths[2] = -3:", "negative"}, [] {
    Documents::from_lengths({4, 0, -3});
  });
  expect_invalid({"lengths_k[1] = -1:", "negative"}, [] { Documents::from_lengths(Offsets{4, 1}, Offsets{4, -1}); });
}

TEST(DocumentsErrors, MoreTokensThanThereMayBe) {
  expect_invalid({"lengths[0] = 2147483649:", "2147483648"}, [] { Documents::from_lengths({max_tokens + 1}); });
  expect_invalid({"lengths[1] = 2:", "2147483647 tokens before", "2147483648"}, [] {
    Documents::from_lengths({max_tokens - 1, 2});
  });
  expect_invalid({"lengths[1] = 9223372036854775807:"}, [] { Documents::from_lengths({5, INT64_MAX}); });
  expect_invalid({"cu_seqlens[1] = 2147483649:", "2147483648"}, [] { from_cu({0, max_tokens + 1}); });
  EXPECT_EQ(Documents::from_lengths({max_tokens}).total_q(), max_tokens);
}

TEST(DocumentsErrors, CountsThatDiffer) {
  expect_invalid({"Documents::from_lengths: lengths_k has 1 entries", "lengths_q, 2"}, [] {
    Documents::from_lengths(Offsets{4, 1}, Offsets{4});
  });
  expect_invalid({"Documents::from_cu_seqlens: cu_seqlens_k has 2 entries", "cu_seqlens_q, 3"}, [] {
    const Offsets q = {0, 4, 5}, k = {0, 4};
    Documents::from_cu_seqlens(std::span<const std::int64_t>(q), std::span<const std::int64_t>(k));
  });
  expect_invalid({"Documents::from_padded:", "_padded has 2 entries", "3"}, [] { from_padded({0, 4, 5}, {0, 4}); });
}

TEST(DocumentsErrors, OffsetsThatDecrease) {
  expect_invalid({"Documents::from_cu_seqlens: cu_seqlens[2] = 3:", "must not be below the entry before it, 5"}, [] {
    from_cu({0, 5, 3});
  });
  expect_invalid({"cu_seqlens_padded[2] = 3:", "below the entry before it, 5"}, [] {
    from_padded({0, 1, 2}, {0, 5, 3});
  });
}

TEST(DocumentsErrors, OffsetsThatDoNotStartAtZero) {
  expect_invalid({"Documents::from_cu_seqlens: cu_seqlens[0] = 1: must start at 0"}, [] { from_cu({1, 5}); });
  expect_invalid({"cu_seqlens[0] = -1: must start at 0"}, [] { from_cu({-1, 5}); });
  expect_invalid({"cu_seqlens", "no entries", "documents + 1"}, [] { from_cu({}); });
  // Where documents lie in memory may start later, but not before the memory.
  expect_invalid({"cu_seqlens[0] = 1: must start at 0"}, [] { from_padded({1, 2}, {1, 2}); });
  expect_invalid({"cu_seqlens_padded[0] = -2:", "negative"}, [] { from_padded({0, 2}, {-2, 2}); });
}

TEST(DocumentsErrors, OffsetsThatPassTheEnd) {
  expect_invalid({"cu_seqlens[2] = 9: passes the end, total = 8"}, [] { from_cu({0, 4, 9}, 8); });
  expect_invalid({"total = -2:"}, [] { from_cu({0, 4}, -2); });
  expect_invalid({"total = 2147483649:"}, [] { from_cu({0, 4}, max_tokens + 1); });
}

TEST(DocumentsErrors, PaddedDocumentsThatDoNotFit) {
  expect_invalid({"Documents::from_padded: cu_seqlens_padded[1] = 3:", "document 0 has 4 tokens from 1 on"}, [] {
    from_padded({0, 4, 5}, {1, 3, 9});
  });
  expect_invalid({"cu_seqlens_k_padded[2] = 5:", "document 1 has 2 tokens from 4 on"}, [] {
    const Offsets q = {0, 1, 2}, k = {0, 4, 6}, padded = {0, 4, 5};
    Documents::from_padded(q, q, k, padded);
  });
}

TEST(DocumentsErrors, BatchRowsNameTheirRow) {
  expect_invalid({"Documents::from_batch: cu_seqlens[1][2] = 2:", "below the entry before it, 4"}, [] {
    from_batch({0, 3, 6, 0, 4, 2}, 2, 6);
  });
  expect_invalid({"cu_seqlens[1][0] = 1: must start at 0"}, [] { from_batch({0, 3, 6, 1, 4, 6}, 2, 6); });
  expect_invalid({"cu_seqlens[0][2] = 7: passes the end, seq = 6"}, [] { from_batch({0, 3, 7, 0, 4, 6}, 2, 6); });
  expect_invalid({"cu_seqlens has 5 entries", "(batch, max_docs + 1)", "batch = 2"}, [] {
    from_batch({0, 3, 7, 0, 4}, 2, 6);
  });
  expect_invalid({"batch = 0:"}, [] { from_batch({0, 3}, 0, 6); });
  expect_invalid({"seq = -1:"}, [] { from_batch({0, 0}, 1, -1); });
  expect_invalid({"seq = 2147483648:", "batch = 2"}, [] { from_batch({0, 0, 0, 0}, 2, max_tokens); });
}

TEST(DocumentsErrors, OffsetsThatDoNotFit32Bits) {
  const Offsets fits = {2147483647}, too_long = {2147483647, 1};
  EXPECT_EQ(cu_seqlens_int32(fits), (Offsets32{0, 2147483647}));
  expect_invalid({"cu_seqlens_int32:", "2147483648", "int64"}, [&] { cu_seqlens_int32(too_long); });
  expect_invalid({"cu_seqlens_int32: lengths[0] = -4:", "negative"}, [] { cu_seqlens_int32(Offsets{-4}); });
}

}  // namespace
}  // namespace caesura::testing
