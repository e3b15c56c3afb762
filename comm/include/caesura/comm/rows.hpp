// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/impl/any_view.hpp>
#include <caesura/element_type.hpp>

#include <Kokkos_Core.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace caesura::comm {

/// A View whose first extent counts rows: rank 1 to 8, any trailing extents, any layout and strides, elements that can
/// be copied as bytes.
template <class View>
concept RowsView = Kokkos::is_view_v<View> &&
                   View::rank() >= 1 && std::is_trivially_copyable_v<typename View::non_const_value_type>;

/// A View that rows can be received into.
template <class View>
concept WritableRowsView = RowsView<View> && !
std::is_const_v<typename View::value_type>;

/// Rows [begin, end) of a View, and the rank they go to or come from.
struct RowBlock {
  int peer = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;

  friend bool operator==(const RowBlock&, const RowBlock&) = default;
};

/// A View of rows with its type erased: shape, strides in elements, where it lies. Keeps the View alive.
class Rows {
 public:
  Rows() = default;

  template <RowsView View>
  Rows(const View& view)  // NOLINT(google-explicit-constructor): made to be passed as an argument
      : data_(reinterpret_cast<std::byte*>(const_cast<typename View::non_const_value_type*>(view.data()))),
        type_(caesura::impl::element_type<typename View::non_const_value_type>()),
        element_bytes_(sizeof(typename View::value_type)),
        rank_(static_cast<int>(View::rank())),
        on_host_(Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename View::memory_space>::accessible),
        on_device_(Kokkos::SpaceAccessibility<Kokkos::DefaultExecutionSpace, typename View::memory_space>::accessible),
        view_(view) {
    for (std::size_t i = 0; i < View::rank(); ++i) {
      extents_[i] = static_cast<std::int64_t>(view.extent(i));
      strides_[i] = static_cast<std::int64_t>(view.stride(i));
    }
  }

  std::byte* data() const { return data_; }
  ElementType type() const { return type_; }
  std::int64_t element_bytes() const { return element_bytes_; }
  int rank() const { return rank_; }
  std::int64_t extent(int i) const { return extents_[static_cast<std::size_t>(i)]; }
  std::int64_t stride(int i) const { return strides_[static_cast<std::size_t>(i)]; }
  /// Whether the host can read and write it.
  bool on_host() const { return on_host_; }
  /// Whether kernels of the default execution space can.
  bool on_device() const { return on_device_; }

  std::int64_t rows() const { return rank_ ? extents_[0] : 0; }
  std::int64_t row_elements() const;
  std::int64_t row_bytes() const { return row_elements() * element_bytes_; }
  /// Whether all rows lie one behind the other without gaps, elements of a row in order.
  bool contiguous() const;
  /// Where row \p row begins.
  std::byte* row(std::int64_t row) const { return data_ + row * strides_[0] * element_bytes_; }

 private:
  std::byte* data_ = nullptr;
  ElementType type_ = ElementType::byte;
  std::int64_t element_bytes_ = 1;
  int rank_ = 0;
  bool on_host_ = true;
  bool on_device_ = true;
  std::array<std::int64_t, 8> extents_ = {};
  std::array<std::int64_t, 8> strides_ = {};
  impl::AnyView view_;
};

}  // namespace caesura::comm
