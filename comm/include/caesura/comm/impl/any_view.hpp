// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace caesura::comm::impl {

/// Any View, kept alive in place: no allocation, because operations with a plan must not allocate.
class AnyView {
 public:
  AnyView() = default;

  template <class View>
    requires(!std::is_same_v<std::remove_cvref_t<View>, AnyView>)
  explicit AnyView(const View& view) : manage_(&manage<View>) {
    static_assert(sizeof(View) <= capacity && alignof(View) <= alignof(std::max_align_t));
    ::new (static_cast<void*>(storage_)) View(view);
  }

  AnyView(const AnyView& other) : manage_(other.manage_) {
    if (manage_) manage_(storage_, other.storage_);
  }
  AnyView& operator=(const AnyView& other) {
    if (this != &other) {
      reset();
      manage_ = other.manage_;
      if (manage_) manage_(storage_, other.storage_);
    }
    return *this;
  }
  ~AnyView() { reset(); }

 private:
  static constexpr std::size_t capacity = 192;  // a View of rank 8 with LayoutStride has 152 bytes

  void reset() {
    if (const auto manage = std::exchange(manage_, nullptr)) manage(storage_, nullptr);
  }

  // Copies `from` into `to`, or destroys `to` if there is no `from`.
  template <class View>
  static void manage(std::byte* to, const std::byte* from) {
    if (from) {
      ::new (static_cast<void*>(to)) View(*std::launder(reinterpret_cast<const View*>(from)));
    } else {
      std::launder(reinterpret_cast<View*>(to))->~View();
    }
  }

  alignas(std::max_align_t) std::byte storage_[capacity];
  void (*manage_)(std::byte*, const std::byte*) = nullptr;
};

}  // namespace caesura::comm::impl
