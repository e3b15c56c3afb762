// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/count_allocations.hpp>

#include <Kokkos_Core.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> smallest_counted{0};
std::atomic<int> allocations{0};

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (counting && bytes >= smallest_counted) ++allocations;
  void* const memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

void count_view(Kokkos_Profiling_SpaceHandle, const char*, const void*, std::uint64_t) { ++allocations; }

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace caesura::testing {

void start_counting(Allocations which, std::size_t smallest) {
  allocations = 0;
  smallest_counted = smallest;
  if (which == Allocations::operator_new) counting = true;
  if (which == Allocations::views) Kokkos::Tools::Experimental::set_allocate_data_callback(count_view);
}

int stop_counting() {
  counting = false;
  Kokkos::Tools::Experimental::set_allocate_data_callback(nullptr);
  return allocations;
}

}  // namespace caesura::testing
