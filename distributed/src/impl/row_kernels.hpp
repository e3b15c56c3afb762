// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>
#include <caesura/spaces.hpp>
#include <caesura/view_ref.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <vector>

// The small kernels between attention calls: rows copied, added and merged. Each element is written by one thread, and
// sums run over the lists in order, so results have the same bits in every run.

namespace caesura::impl {

/// A (rows, heads, dim) tensor of any scalar, read and written as the accumulator type.
class RowTensor {
 public:
  RowTensor() = default;
  /// A View of rank 3, or 2: dim = 1.
  explicit RowTensor(const ViewRef& view)
      : data_(view.data()),
        type_(static_cast<ScalarType>(view.type())),
        rows_(view.extent(0)),
        heads_(view.extent(1)),
        dim_(view.rank() == 3 ? view.extent(2) : 1),
        row_stride_(view.stride(0)),
        head_stride_(view.stride(1)),
        dim_stride_(view.rank() == 3 ? view.stride(2) : 1) {}

  std::int64_t rows() const { return rows_; }
  std::int64_t heads() const { return heads_; }
  std::int64_t dim() const { return dim_; }

  template <class Real>
  KOKKOS_FUNCTION Real get(std::int64_t row, std::int64_t head, std::int64_t d) const {
    const std::int64_t at = offset(row, head, d);
    switch (type_) {
      case ScalarType::float64: return static_cast<Real>(static_cast<const double*>(data_)[at]);
      case ScalarType::float32: return static_cast<Real>(static_cast<const float*>(data_)[at]);
      case ScalarType::float16: return static_cast<Real>(static_cast<const half*>(data_)[at]);
      default: return static_cast<Real>(static_cast<const bfloat16*>(data_)[at]);
    }
  }
  template <class Real>
  KOKKOS_FUNCTION void set(std::int64_t row, std::int64_t head, std::int64_t d, Real value) const {
    const std::int64_t at = offset(row, head, d);
    switch (type_) {
      case ScalarType::float64: static_cast<double*>(data_)[at] = static_cast<double>(value); break;
      case ScalarType::float32: static_cast<float*>(data_)[at] = static_cast<float>(value); break;
      case ScalarType::float16: static_cast<half*>(data_)[at] = half(static_cast<float>(value)); break;
      default: static_cast<bfloat16*>(data_)[at] = bfloat16(static_cast<float>(value));
    }
  }

 private:
  KOKKOS_FUNCTION std::int64_t offset(std::int64_t row, std::int64_t head, std::int64_t d) const {
    return row * row_stride_ + head * head_stride_ + d * dim_stride_;
  }

  void* data_ = nullptr;
  ScalarType type_ = ScalarType::float32;
  std::int64_t rows_ = 0, heads_ = 0, dim_ = 0;
  std::int64_t row_stride_ = 0, head_stride_ = 0, dim_stride_ = 1;
};

/// Rows of two tables that belong together, in memory of the space; none distinct: row i and row i.
template <class Space>
struct RowPairs {
  Kokkos::View<std::int32_t*, typename Space::memory_space> from, to;
};

enum class Storing : std::uint8_t { overwrite, add };

/// to[pairs.to[i]] (+)= from[pairs.from[i]], every head and dim. Rows of `to` are distinct.
template <class Space>
void store_rows(const Space& space, const RowPairs<Space>& pairs, const ViewRef& from, const ViewRef& to,
                Storing storing);

/// All rows, from row i to row i.
template <class Space>
void store_all(const Space& space, const ViewRef& from, const ViewRef& to, Storing storing);

/// Zeros everywhere.
template <class Space>
void clear_rows(const Space& space, const ViewRef& to);

/// Merges partial attention results over other keys into rows of running ones: log-sum-exp merge, -inf where nothing
/// was seen. All in the accumulator type. Online softmax: Milakov & Gimelshein 2018, arXiv:1805.02867.
/// \param part, part_lse, part_max  (rows, heads, dim_v), (rows, heads), (rows, heads)
/// \param out, lse, row_max  the running ones; row_max may be not given
template <class Space>
void merge_rows(const Space& space, const RowPairs<Space>& pairs, const ViewRef& part, const ViewRef& part_lse,
                const ViewRef& part_max, const ViewRef& out, const ViewRef& lse, const ViewRef& row_max);

}  // namespace caesura::impl
