// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/spaces.hpp>

#include <Kokkos_Core.hpp>

#include <type_traits>
#include <variant>

namespace caesura::comm::impl {

/// An instance of any execution space of this build, its type erased.
class Instance {
 public:
  template <ExecutionSpace Space>
  Instance(const Space& space)  // NOLINT(google-explicit-constructor): made to be passed as an argument
      : space_(space) {}

  /// Calls \p function with the instance as its own type.
  template <class Function>
  void visit(Function&& function) const {
    std::visit(
        [&](const auto& space) {
          if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(space)>, std::monostate>) function(space);
        },
        space_);
  }

  /// Whether its kernels run on the host.
  bool on_host() const;
  /// `Serial`, `Cuda` ...: the name of the execution space.
  const char* name() const;

  /// Waits for the work launched on it; nothing where a launch returns only when its work is done.
  void fence(const char* label) const;

  /// Whether both mean the same queue of work.
  friend bool operator==(const Instance&, const Instance&) = default;

 private:
#define CAESURA_COMMA_SPACE(Space) , Space
  std::variant<std::monostate CAESURA_FOR_EACH_SPACE(CAESURA_COMMA_SPACE)> space_;
#undef CAESURA_COMMA_SPACE
};

}  // namespace caesura::comm::impl
