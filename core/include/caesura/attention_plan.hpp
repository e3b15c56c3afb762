// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/impl/lowered_storage.hpp>
#include <caesura/mask.hpp>
#include <caesura/packed_offsets.hpp>
#include <caesura/problem.hpp>
#include <caesura/spaces.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <utility>

namespace caesura {

/// Kernels use 32-bit positions, with room for a tile behind the last one.
inline constexpr std::int64_t max_plan_tokens = max_tokens - 1024;

/// Which passes a plan is for. The backward needs the key side too, which doubles the plan's memory.
enum class Passes : std::uint8_t { forward, forward_and_backward };

struct PlanOptions {
  Passes passes = Passes::forward_and_backward;
};

/// A mask lowered to what kernels see, in the memory of \p Space: row intervals and tile schedules, O(total_q + total_k)
/// per layer. Made once, used by every head, layer and step that share the mask.
///
/// From device offsets nothing synchronizes with the host: sizes come from extents alone, bad offsets are clamped
/// (no access leaves the tensors) and reported by `validate`. With `CAESURA_CHECKS=ON` the constructor validates.
template <ExecutionSpace Space>
class AttentionPlan {
 public:
  using memory_space = typename Space::memory_space;

  /// From a host mask. Asynchronous on \p space.
  /// \throws Error if a total is above `max_plan_tokens`, or if memory is short (bytes asked, bytes there).
  AttentionPlan(const Space& space, const Mask& mask, const PlanOptions& options = {});

  /// From offsets in the memory of \p Space, without a host synchronization. Asynchronous on \p space.
  /// \throws Error for wrong ranks, types, extents, memory spaces or rules.
  AttentionPlan(const Space& space, const PackedOffsets& offsets, const DocumentMask& rule = {},
                const PlanOptions& options = {});

  /// Lowers other offsets with the same capacity into the same memory: no allocation, no synchronization.
  /// \throws Error if totals, batch or the rule's number of layers differ.
  /// Only for plans made from offsets.
  void update(const Space& space, const PackedOffsets& offsets, const DocumentMask& rule = {});

  /// Waits for \p space and throws `Error` if the device offsets broke a rule: which entry, its value, the rule.
  void validate(const Space& space) const;

  std::int64_t total_q() const { return rows_.rows(); }
  std::int64_t total_k() const { return total_k_; }
  Passes passes() const { return passes_; }
  std::int64_t memory_bytes() const { return rows_.bytes() + columns_.bytes(); }

  /// What the kernels read. Valid as long as the plan lives.
  Lowered rows() const { return rows_.view(); }
  Lowered columns() const { return columns_.view(); }

 private:
  std::int64_t total_k_ = 0;
  Passes passes_ = Passes::forward_and_backward;
  impl::LoweredStorage<memory_space> rows_;
  impl::LoweredStorage<memory_space> columns_;
  // Read by kernels that may still run when the constructor returns.
  impl::LayeredSlices<memory_space> row_slices_;
  impl::LayeredSlices<memory_space> column_slices_;
  impl::OffsetStatus<memory_space> status_;
  impl::OffsetExtents checked_;
};

}  // namespace caesura
