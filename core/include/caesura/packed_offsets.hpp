// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/view_ref.hpp>

#include <cstdint>

namespace caesura {

/// Document offsets in the memory of the execution space, int32 or int64, last extent contiguous.
///
/// Packed: `cu_seqlens_q (documents + 1)` with `total_q`, the extent of `q`. Batched: `(batch, max_docs + 1)` with
/// `seq_q`; row b describes the flattened positions `[b * seq_q, (b + 1) * seq_q)`. Each list starts at 0, never
/// decreases and ends at or below its total; what lies behind is padding and sees nothing.
///
///     AttentionPlan plan(space, PackedOffsets{.cu_seqlens_q = cu, .total_q = q.extent_int(0)});
struct PackedOffsets {
  ViewRef cu_seqlens_q;
  ViewRef cu_seqlens_k = {};         ///< cross attention; not given: the same documents as the queries
  ViewRef cu_seqlens_q_padded = {};  ///< where documents start in memory; not given: no padding between them
  ViewRef cu_seqlens_k_padded = {};  ///< may be given only with `cu_seqlens_q_padded` or `cu_seqlens_k`
  std::int64_t total_q = 0;          ///< query rows: of the pack, or of each batch entry
  std::int64_t total_k = -1;         ///< -1: as many as `total_q`
};

}  // namespace caesura
