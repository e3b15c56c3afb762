// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/element_type.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

namespace caesura {

namespace impl {
template <class Value>
concept Element = AttentionScalar<Value> || std::is_same_v<Value, std::int32_t> ||
                  std::is_same_v<Value, std::int64_t> || std::is_same_v<Value, std::byte>;
}  // namespace impl

/// A Kokkos View that an attention call can take: rank 1 to 4, of double, float, half, bfloat16, int32, int64 or
/// byte, in any layout and memory space.
template <class View>
concept ArgumentView = Kokkos::is_view_v<View> &&
                       View::rank() >= 1 && View::rank() <= 4 && impl::Element<typename View::non_const_value_type>;

/// A View as a function argument: pointer, extents and strides, checked at run time by the call it is passed to.
/// Every View that fits `ArgumentView` converts implicitly; a default one means "not given". It does not own: the
/// View must live until the work is done, as with any asynchronous Kokkos call.
class ViewRef {
 public:
  ViewRef() = default;

  template <ArgumentView View>
  ViewRef(const View& view)  // NOLINT(google-explicit-constructor): made to be passed as an argument
      : data_(const_cast<typename View::non_const_value_type*>(view.data())),
        given_(true),
        type_(impl::element_type<typename View::non_const_value_type>()),
        writable_(!std::is_const_v<typename View::value_type>),
        host_accessible_(accessible<Kokkos::DefaultHostExecutionSpace, View>()),
        device_accessible_(accessible<Kokkos::DefaultExecutionSpace, View>()),
        rank_(static_cast<int>(View::rank())) {
    for (std::size_t i = 0; i < View::rank(); ++i) {
      extents_[i] = static_cast<std::int64_t>(view.extent(i));
      strides_[i] = static_cast<std::int64_t>(view.stride(i));
    }
  }

  /// Any other View converts too, to a message that says why it cannot.
  template <class View>
    requires(Kokkos::is_view_v<View> && !ArgumentView<View>)
  ViewRef(const View&) {  // NOLINT(google-explicit-constructor): as above
    static_assert(View::rank() >= 1 && View::rank() <= 4, "ViewRef: a View argument must have rank 1 to 4");
    static_assert(impl::Element<typename View::non_const_value_type>,
                  "ViewRef: a View argument must have elements of type double, float, caesura::half, "
                  "caesura::bfloat16, std::int32_t, std::int64_t or std::byte");
  }

  /// Memory of \p MemorySpace by pointer, extents and strides in elements, for callers that know types at run time only.
  template <class MemorySpace>
  static ViewRef from_memory(void* data, ElementType type, std::initializer_list<std::int64_t> extents,
                             std::initializer_list<std::int64_t> strides) {
    ViewRef result;
    result.data_ = data;
    result.given_ = true;
    result.type_ = type;
    result.writable_ = true;
    result.host_accessible_ = reaches<Kokkos::DefaultHostExecutionSpace, MemorySpace>();
    result.device_accessible_ = reaches<Kokkos::DefaultExecutionSpace, MemorySpace>();
    result.rank_ = static_cast<int>(extents.size());
    std::copy(extents.begin(), extents.end(), result.extents_.begin());
    std::copy(strides.begin(), strides.end(), result.strides_.begin());
    return result;
  }

  /// The part with indices [begin, end) of extent \p i.
  ViewRef part(int i, std::int64_t begin, std::int64_t end) const {
    ViewRef result = *this;
    const auto at = static_cast<std::size_t>(i);
    result.data_ = static_cast<std::byte*>(data_) + begin * strides_[at] * bytes_of(type_);
    result.extents_[at] = end - begin;
    return result;
  }

  /// Whether an argument was given; a View without elements counts as given.
  explicit operator bool() const { return given_; }
  void* data() const { return data_; }
  ElementType type() const { return type_; }
  bool writable() const { return writable_; }
  int rank() const { return rank_; }
  std::int64_t extent(int i) const { return extents_[static_cast<std::size_t>(i)]; }
  std::int64_t stride(int i) const { return strides_[static_cast<std::size_t>(i)]; }

  template <class Space>
  bool accessible_from() const {
    return std::is_same_v<Space, Kokkos::DefaultExecutionSpace> ? device_accessible_ : host_accessible_;
  }

 private:
  template <class Space, class View>
  static constexpr bool accessible() {
    return reaches<Space, typename View::memory_space>();
  }
  template <class Space, class MemorySpace>
  static constexpr bool reaches() {
    return Kokkos::SpaceAccessibility<Space, MemorySpace>::accessible;
  }

  void* data_ = nullptr;
  bool given_ = false;
  ElementType type_ = ElementType::byte;
  bool writable_ = false;
  bool host_accessible_ = false;
  bool device_accessible_ = false;
  int rank_ = 0;
  std::array<std::int64_t, 4> extents_ = {};
  std::array<std::int64_t, 4> strides_ = {};
};

}  // namespace caesura
