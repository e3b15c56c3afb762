// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/rows.hpp>
#include <caesura/scalar.hpp>

#include <Kokkos_Core.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace caesura::testing {

/// Ranks may be threads, each of which launches on an instance of its own.
inline Kokkos::Serial rank_space() { return Kokkos::Serial(Kokkos::NewInstance{}); }

/// Neither a number nor of a size that is a power of two.
struct Triple {
  std::int32_t a;
  std::int16_t b[3];
  std::int16_t c;
};
static_assert(sizeof(Triple) == 12);

/// Bytes that say which element of which row of which rank this is. Different for all in a test.
template <class Value>
Value mark(std::int64_t rank, std::int64_t row, std::int64_t element) {
  std::uint64_t bits = static_cast<std::uint64_t>(rank * 1'000'003 + row * 1009 + element + 1);
  bits = (bits ^ (bits >> 7)) * 0x9e3779b97f4a7c15u;
  bits ^= bits >> 29;
  unsigned char bytes[sizeof(Value)];
  for (std::size_t i = 0; i < sizeof(Value); ++i) bytes[i] = static_cast<unsigned char>(bits >> (8 * (i % 8)));
  Value value;
  std::memcpy(&value, bytes, sizeof(Value));
  return value;
}

/// How a (rows, heads, dim) View lies in memory.
enum class Lie {
  right,    ///< LayoutRight, all together
  left,     ///< LayoutLeft: nothing of a row together
  padded,   ///< the first columns of wider rows: rows together, gaps between them
  strided,  ///< every other head and only a part of each: rows not together either
};
inline constexpr Lie all_lies[] = {Lie::right, Lie::left, Lie::padded, Lie::strided};

/// Rows for a test on the host: any element, any lie. What lies between must stay as it was.
template <class Value>
class TestRows {
 public:
  using View = Kokkos::View<Value***, Kokkos::LayoutStride, Kokkos::HostSpace>;

  TestRows(std::int64_t rows, std::int64_t heads, std::int64_t dim, Lie lie = Lie::right)
      : rows_(rows), heads_(heads), dim_(dim) {
    const auto n = static_cast<std::size_t>(rows), h = static_cast<std::size_t>(heads),
               d = static_cast<std::size_t>(dim);
    using Kokkos::make_pair;
    const std::string label = "rows";
    switch (lie) {
      case Lie::right: keep(Kokkos::View<Value***, Kokkos::LayoutRight, Kokkos::HostSpace>(label, n, h, d)); break;
      case Lie::left: keep(Kokkos::View<Value***, Kokkos::LayoutLeft, Kokkos::HostSpace>(label, n, h, d)); break;
      case Lie::padded: {
        const Kokkos::View<Value****, Kokkos::LayoutRight, Kokkos::HostSpace> wide(label, n, 2, h, d);
        keep_part(wide.data(), wide.size(),
                  Kokkos::subview(wide, Kokkos::ALL, std::size_t{1}, Kokkos::ALL, Kokkos::ALL), wide);
        break;
      }
      case Lie::strided: {
        const Kokkos::View<Value****, Kokkos::LayoutRight, Kokkos::HostSpace> wide(label, n, h, 2, d + 3);
        keep_part(wide.data(), wide.size(),
                  Kokkos::subview(wide, Kokkos::ALL, Kokkos::ALL, std::size_t{1}, make_pair(std::size_t{2}, d + 2)),
                  wide);
        break;
      }
    }
    erase();
  }

  const View& view() const { return view_; }
  Value& operator()(std::int64_t row, std::int64_t head, std::int64_t i) const {
    return view_(static_cast<std::size_t>(row), static_cast<std::size_t>(head), static_cast<std::size_t>(i));
  }
  /// Element number \p element of a row.
  Value& at(std::int64_t row, std::int64_t element) const { return (*this)(row, element / dim_, element % dim_); }
  std::int64_t row_elements() const { return heads_ * dim_; }
  std::int64_t rows() const { return rows_; }

  void fill(std::int64_t rank) const {
    for (std::int64_t row = 0; row < rows_; ++row)
      for (std::int64_t i = 0; i < row_elements(); ++i) at(row, i) = mark<Value>(rank, row, i);
  }
  void erase() const { std::memset(static_cast<void*>(memory_), untouched, bytes_); }

  /// Whether row \p row holds what row \p source_row of \p rank was filled with.
  ::testing::AssertionResult holds(std::int64_t row, std::int64_t rank, std::int64_t source_row) const {
    for (std::int64_t i = 0; i < row_elements(); ++i) {
      const Value expected = mark<Value>(rank, source_row, i);
      if (std::memcmp(&at(row, i), &expected, sizeof(Value)) != 0) {
        return ::testing::AssertionFailure()
               << "row " << row << ", element " << i << " is not that of row " << source_row << " of rank " << rank;
      }
    }
    return ::testing::AssertionSuccess();
  }
  /// Whether nothing was written into row \p row.
  ::testing::AssertionResult empty(std::int64_t row) const {
    for (std::int64_t i = 0; i < row_elements(); ++i) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(&at(row, i));
      if (!std::all_of(bytes, bytes + sizeof(Value), [](unsigned char byte) { return byte == untouched; }))
        return ::testing::AssertionFailure() << "row " << row << ", element " << i << " was written";
    }
    return ::testing::AssertionSuccess();
  }
  /// Whether nothing was written between the rows. Erases the rows.
  ::testing::AssertionResult untouched_around() const {
    for (std::int64_t row = 0; row < rows_; ++row)
      for (std::int64_t i = 0; i < row_elements(); ++i)
        std::memset(static_cast<void*>(&at(row, i)), untouched, sizeof(Value));
    const auto* bytes = reinterpret_cast<const unsigned char*>(memory_);
    const auto* other = std::find_if(bytes, bytes + bytes_, [](unsigned char byte) { return byte != untouched; });
    if (other == bytes + bytes_) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "byte " << other - bytes << " outside the rows was written";
  }

 private:
  static constexpr unsigned char untouched = 0xa5;

  template <class Whole>
  void keep(const Whole& whole) {
    keep_part(whole.data(), whole.size(), whole, whole);
  }
  template <class Part, class Whole>
  void keep_part(Value* memory, std::size_t size, const Part& part, const Whole& whole) {
    memory_ = memory;
    bytes_ = size * sizeof(Value);
    view_ = part;
    owner_ = std::make_shared<Whole>(whole);
  }

  std::int64_t rows_, heads_, dim_;
  View view_;
  std::shared_ptr<void> owner_;
  Value* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace caesura::testing
