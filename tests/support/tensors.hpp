// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>
#include <caesura/view_ref.hpp>
#include <reference/reference.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace caesura::testing {

using Space = Kokkos::DefaultExecutionSpace;

template <AttentionScalar Scalar>
Scalar from_double(double value) {
  if constexpr (std::is_same_v<Scalar, double>) {
    return value;
  } else {
    return Scalar(static_cast<float>(value));
  }
}

template <AttentionScalar Scalar>
double to_double(Scalar value) {
  if constexpr (std::is_same_v<Scalar, double>) {
    return value;
  } else {
    return static_cast<double>(static_cast<float>(value));
  }
}

/// How a `(rows, heads, dim)` tensor lies in memory.
enum class Layout {
  packed,       ///< rows, heads, dim
  padded,       ///< the same with unused elements behind each row and each head
  interleaved,  ///< rows, 2, heads, dim: one of a K/V pair
  heads_first,  ///< heads, rows, dim
  sbhd          ///< seq, batch, heads, dim; row b * seq + s. `rows` must divide by `sbhd_batch`
};
inline constexpr std::int64_t sbhd_batch = 3;

/// A tensor in the memory of an execution space, in any layout. Elements that no row uses stay poisoned, and
/// `untouched_around` says whether they still are.
template <AttentionScalar Scalar_, class MemorySpace = Space::memory_space>
class DeviceTensor {
 public:
  using Scalar = Scalar_;
  using Unmanaged = Kokkos::MemoryTraits<Kokkos::Unmanaged>;

  DeviceTensor() = default;

  static DeviceTensor poisoned(std::int64_t rows, std::int64_t heads, std::int64_t dim,
                               Layout layout = Layout::packed) {
    DeviceTensor result(rows, heads, dim, layout);
    result.poison();
    return result;
  }

  static DeviceTensor from(const reference::Tensor& values, Layout layout = Layout::packed) {
    DeviceTensor result = poisoned(values.rows, values.heads, values.dim, layout);
    result.upload(values);
    return result;
  }

  void upload(const reference::Tensor& values) {
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), buffer_);
    for_each_element([&](std::int64_t r, std::int64_t h, std::int64_t i, std::size_t at) {
      host(at) = from_double<Scalar>(values(r, h, i));
    });
    Kokkos::deep_copy(buffer_, host);
  }

  reference::Tensor download() const {
    reference::Tensor values(rows_, heads_, dim_);
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), buffer_);
    for_each_element(
        [&](std::int64_t r, std::int64_t h, std::int64_t i, std::size_t at) { values(r, h, i) = to_double(host(at)); });
    return values;
  }

  /// The elements' bytes in the order (rows, heads, dim), whatever the layout.
  std::vector<std::byte> bits() const {
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), buffer_);
    std::vector<std::byte> bytes;
    bytes.reserve(static_cast<std::size_t>(rows_ * heads_ * dim_) * sizeof(Scalar));
    for_each_element([&](std::int64_t, std::int64_t, std::int64_t, std::size_t at) {
      const auto* begin = reinterpret_cast<const std::byte*>(&host(at));
      bytes.insert(bytes.end(), begin, begin + sizeof(Scalar));
    });
    return bytes;
  }

  /// A NaN that no computation makes.
  void poison() {
    const auto host = Kokkos::create_mirror_view(buffer_);
    std::fill_n(reinterpret_cast<unsigned char*>(host.data()), host.size() * sizeof(Scalar), poison_byte);
    Kokkos::deep_copy(buffer_, host);
  }
  bool untouched() const { return poisoned_elements(false) == static_cast<std::int64_t>(buffer_.size()); }
  bool untouched_around() const {
    return poisoned_elements(true) == static_cast<std::int64_t>(buffer_.size()) - rows_ * heads_ * dim_;
  }

  /// `(rows, heads, dim)`; rank 4 `(batch, seq, heads, dim)` for `sbhd`.
  ViewRef ref() const {
    if (layout_ == Layout::sbhd) return batched(sbhd_batch);
    return Kokkos::View<Scalar***, Kokkos::LayoutStride, MemorySpace, Unmanaged>(
        begin(), Kokkos::LayoutStride(size(rows_), row_stride_, size(heads_), head_stride_, size(dim_), 1));
  }
  operator ViewRef() const { return ref(); }  // NOLINT(google-explicit-constructor)

  /// Rows [begin, end) of `ref`, for every layout of rank 3.
  ViewRef rows(std::int64_t first, std::int64_t last) const {
    return Kokkos::View<Scalar***, Kokkos::LayoutStride, MemorySpace, Unmanaged>(
        begin() + size(first) * row_stride_,
        Kokkos::LayoutStride(size(last - first), row_stride_, size(heads_), head_stride_, size(dim_), 1));
  }

  /// `(rows, heads)`, for statistics with dim = 1.
  ViewRef matrix() const {
    return Kokkos::View<Scalar**, Kokkos::LayoutStride, MemorySpace, Unmanaged>(
        begin(), Kokkos::LayoutStride(size(rows_), row_stride_, size(heads_), head_stride_));
  }

  ViewRef matrix_rows(std::int64_t first, std::int64_t last) const {
    return Kokkos::View<Scalar**, Kokkos::LayoutStride, MemorySpace, Unmanaged>(
        begin() + size(first) * row_stride_,
        Kokkos::LayoutStride(size(last - first), row_stride_, size(heads_), head_stride_));
  }

  /// `(batch, rows / batch, heads, dim)`.
  ViewRef batched(std::int64_t batch) const {
    const std::size_t seq = size(rows_ / batch);
    const bool is_sbhd = layout_ == Layout::sbhd;
    const std::size_t batch_stride = is_sbhd ? size(heads_ * dim_) : seq * row_stride_;
    const std::size_t seq_stride = is_sbhd ? size(sbhd_batch * heads_ * dim_) : row_stride_;
    return Kokkos::View<Scalar****, Kokkos::LayoutStride, MemorySpace, Unmanaged>(
        begin(),
        Kokkos::LayoutStride(size(batch), batch_stride, seq, seq_stride, size(heads_), head_stride_, size(dim_), 1));
  }

  /// `(batch, rows / batch, heads)`.
  ViewRef batched_matrix(std::int64_t batch) const {
    const std::size_t seq = size(rows_ / batch);
    return Kokkos::View<Scalar***, Kokkos::LayoutStride, MemorySpace, Unmanaged>(
        begin(), Kokkos::LayoutStride(size(batch), seq * row_stride_, seq, row_stride_, size(heads_), head_stride_));
  }

 private:
  static constexpr unsigned char poison_byte = 0xff;

  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

  DeviceTensor(std::int64_t rows, std::int64_t heads, std::int64_t dim, Layout layout)
      : rows_(rows), heads_(heads), dim_(dim), layout_(layout) {
    head_stride_ = size(dim);
    row_stride_ = size(heads * dim);
    std::size_t elements = size(rows * heads * dim);
    if (layout == Layout::padded) {
      head_stride_ = size(dim + 3);
      row_stride_ = head_stride_ * size(heads) + 5;
      elements = row_stride_ * size(rows);
    } else if (layout == Layout::interleaved) {
      row_stride_ *= 2;
      offset_ = size(heads * dim);
      elements *= 2;
    } else if (layout == Layout::heads_first) {
      row_stride_ = size(dim);
      head_stride_ = size(rows * dim);
    }
    buffer_ = Kokkos::View<Scalar*, MemorySpace>(Kokkos::view_alloc(Kokkos::WithoutInitializing, "test"), elements);
  }

  Scalar* begin() const { return buffer_.size() == 0 ? nullptr : buffer_.data() + offset_; }

  template <class Visit>
  void for_each_element(const Visit& visit) const {
    for (std::int64_t r = 0; r < rows_; ++r) {
      std::size_t row = offset_ + size(r) * row_stride_;
      if (layout_ == Layout::sbhd) {
        const std::int64_t seq = rows_ / sbhd_batch;
        row = size(r % seq * sbhd_batch + r / seq) * row_stride_;
      }
      for (std::int64_t h = 0; h < heads_; ++h) {
        for (std::int64_t i = 0; i < dim_; ++i) visit(r, h, i, row + size(h) * head_stride_ + size(i));
      }
    }
  }

  std::int64_t poisoned_elements(bool around_only) const {
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), buffer_);
    std::vector<bool> used(host.size());
    if (around_only) {
      for_each_element([&](std::int64_t, std::int64_t, std::int64_t, std::size_t at) { used[at] = true; });
    }
    std::int64_t count = 0;
    for (std::size_t at = 0; at < host.size(); ++at) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(&host(at));
      count +=
          !used[at] && std::all_of(bytes, bytes + sizeof(Scalar), [](unsigned char b) { return b == poison_byte; });
    }
    return count;
  }

  std::int64_t rows_ = 0, heads_ = 0, dim_ = 1;
  Layout layout_ = Layout::packed;
  std::size_t row_stride_ = 0, head_stride_ = 0, offset_ = 0;
  Kokkos::View<Scalar*, MemorySpace> buffer_;
};

/// Offsets on the device.
template <class Index, class MemorySpace = Space::memory_space>
Kokkos::View<Index*, MemorySpace> upload(const std::vector<Index>& values) {
  const Kokkos::View<const Index*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>> host(values.data(),
                                                                                                    values.size());
  Kokkos::View<Index*, MemorySpace> result("test", values.size());
  Kokkos::deep_copy(result, host);
  return result;
}

/// Values that a plan or problem points to in the memory of a space.
template <class Value, class MemorySpace = Space::memory_space>
std::vector<Value> download(const Value* data, std::int64_t count) {
  const auto n = static_cast<std::size_t>(count);
  std::vector<Value> result(n);
  const Kokkos::View<const Value*, MemorySpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>> source(data, n);
  const Kokkos::View<Value*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>> target(result.data(), n);
  Kokkos::deep_copy(target, source);
  return result;
}

}  // namespace caesura::testing
