// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <support/tool_events.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>

namespace caesura::testing {
namespace {

namespace tools = Kokkos::Tools::Experimental;

// The callbacks are plain functions, so what they see is kept here.
struct Seen {
  std::vector<std::string> fences, deep_copies, allocations, kernels;
};
Seen seen;

void begin_fence(const char* name, std::uint32_t, std::uint64_t*) {
  // Kokkos fences before it calls back; that one is caused by listening.
  if (std::string_view(name).find("Kokkos Profile Tool Fence") == std::string_view::npos)
    seen.fences.emplace_back(name);
}

void begin_deep_copy(Kokkos_Profiling_SpaceHandle, const char* target, const void*, Kokkos_Profiling_SpaceHandle,
                     const char* source, const void*, std::uint64_t bytes) {
  seen.deep_copies.push_back(text(source, " -> ", target, ", ", bytes, " bytes"));
}

void allocate_data(Kokkos_Profiling_SpaceHandle, const char* name, const void*, std::uint64_t) {
  seen.allocations.emplace_back(name);
}

void begin_kernel(const char* name, std::uint32_t, std::uint64_t*) { seen.kernels.emplace_back(name); }

}  // namespace

ToolEvents::ToolEvents() {
  clear();
  tools::set_begin_fence_callback(begin_fence);
  tools::set_begin_deep_copy_callback(begin_deep_copy);
  tools::set_allocate_data_callback(allocate_data);
  tools::set_begin_parallel_for_callback(begin_kernel);
  tools::set_begin_parallel_reduce_callback(begin_kernel);
  tools::set_begin_parallel_scan_callback(begin_kernel);
}

ToolEvents::~ToolEvents() {
  tools::set_begin_fence_callback(nullptr);
  tools::set_begin_deep_copy_callback(nullptr);
  tools::set_allocate_data_callback(nullptr);
  tools::set_begin_parallel_for_callback(nullptr);
  tools::set_begin_parallel_reduce_callback(nullptr);
  tools::set_begin_parallel_scan_callback(nullptr);
}

const std::vector<std::string>& ToolEvents::fences() const { return seen.fences; }
const std::vector<std::string>& ToolEvents::deep_copies() const { return seen.deep_copies; }
const std::vector<std::string>& ToolEvents::allocations() const { return seen.allocations; }
const std::vector<std::string>& ToolEvents::kernels() const { return seen.kernels; }

bool ToolEvents::saw_fence(std::string_view name) const {
  return std::any_of(fences().begin(), fences().end(), [&](const std::string& fence) { return fence == name; });
}

void ToolEvents::clear() const { seen = {}; }
void ToolEvents::clear_allocations() const { seen.allocations.clear(); }

std::string ToolEvents::describe() const {
  std::string result;
  const auto list = [&](const char* what, const std::vector<std::string>& names) {
    for (const std::string& name : names) result += text("\n  ", what, ": ", name);
  };
  list("fence", fences());
  list("deep copy", deep_copies());
  list("allocation", allocations());
  list("kernel", kernels());
  return result;
}

}  // namespace caesura::testing
