// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/impl/instance.hpp>

#include <string>

namespace caesura::comm::impl {

namespace {
template <class Space>
constexpr bool is_host = Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Space::memory_space>::accessible;
}

bool Instance::on_host() const {
  bool result = true;
  visit([&]<class Space>(const Space&) { result = is_host<Space>; });
  return result;
}

const char* Instance::name() const {
  const char* result = "";
  visit([&](const auto& space) { result = space.name(); });
  return result;
}

void Instance::fence(const char* label) const {
  visit([&]<class Space>(const Space& space) {
    if constexpr (!is_host<Space>) space.fence(label);
  });
}

}  // namespace caesura::comm::impl
