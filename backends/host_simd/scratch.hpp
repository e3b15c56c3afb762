// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/clusters.hpp"
#include "backends/host_simd/order.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace caesura::host_simd {

/// What calls keep from one to the next: fresh pages for packed tensors would cost several percent of a call. Each
/// thread that calls has its own, until it ends; kernels are done with it when a call returns.
class Scratch {
 public:
  static Scratch& of_this_thread();

  /// At least so many bytes, aligned to a large page and on such pages where the system has them: products that walk
  /// over packed tensors on small pages lost 3 to 4 percent. What was there before is lost.
  /// \throws Error (resources) with the bytes asked for.
  std::byte* reserve(std::int64_t bytes);
  /// Of the backward.
  BackwardOrder& order() { return order_; }
  Clusters& clusters() { return clusters_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, alignment); }
  };
  static constexpr std::align_val_t alignment{2 << 20};

  std::unique_ptr<std::byte, Free> memory_;
  std::int64_t bytes_ = 0;
  BackwardOrder order_;
  Clusters clusters_;
};

}  // namespace caesura::host_simd
