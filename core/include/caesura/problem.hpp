// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>

#include <cstdint>

// What kernels see: plain structs of pointers, strides and extents. No Kokkos View and no mask in sight, so a
// kernel family can be compiled apart from both.

namespace caesura {

/// `[begin, end)` in the 32-bit positions that kernels work with.
struct TileRange {
  std::int32_t begin = 0;
  std::int32_t end = 0;
};

/// For each row the partners it sees, `[first, last)`, in `layers` layers with at most one interval a row;
/// empty intervals have `first >= last`. The intervals of one row in different layers are disjoint.
/// Both arrays are `(layers, rows)`.
struct RowIntervals {
  std::int32_t layers = 0;
  std::int64_t rows = 0;
  const std::int32_t* first = nullptr;
  const std::int32_t* last = nullptr;
};

/// Which partners each tile of `tile_rows` consecutive rows has to visit: for each tile and layer the sorted, disjoint
/// runs whose union is that of its rows' intervals, at most `tile_rows` of them. A kernel walks a run in steps of its
/// own. `order` lists the tiles, most work first.
struct TileSchedule {
  std::int32_t tile_rows = 0;
  std::int32_t tiles = 0;
  const TileRange* runs = nullptr;           ///< (layers, tile_rows, tiles): few runs a tile touch little memory
  const std::int32_t* run_counts = nullptr;  ///< (layers, tiles)
  const std::int32_t* order = nullptr;       ///< (tiles)

  KOKKOS_FUNCTION std::int32_t run_count(std::int64_t layer, std::int64_t tile) const {
    return run_counts[layer * tiles + tile];
  }
  KOKKOS_FUNCTION TileRange run(std::int64_t layer, std::int64_t tile, std::int64_t i) const {
    return runs[(layer * tile_rows + i) * tiles + tile];
  }
};

/// Intervals and schedule of one side: of the queries (`rows`: keys they see), or of the keys (`columns`: queries that see them).
struct Lowered {
  RowIntervals intervals;
  TileSchedule schedule;
};

/// A `(rows, heads, dim)` tensor whose last extent is contiguous. Row r lies at
/// `(r / batch_rows) * batch_stride + (r % batch_rows) * row_stride` elements: packed tensors are one batch.
struct TensorRef {
  void* data = nullptr;
  ScalarType type = ScalarType::float32;
  std::int64_t batch_rows = 1;
  std::int64_t batch_stride = 0;
  std::int64_t row_stride = 0;
  std::int64_t head_stride = 0;

  KOKKOS_FUNCTION explicit operator bool() const { return data != nullptr; }

  KOKKOS_FUNCTION std::int64_t offset(std::int64_t row, std::int64_t head) const {
    const std::int64_t batch = row < batch_rows ? 0 : row / batch_rows;
    return batch * batch_stride + (row - batch * batch_rows) * row_stride + head * head_stride;
  }
};

/// Sink logits `(heads_q, count)`, in the accumulator type.
struct SinkRef {
  const void* data = nullptr;
  std::int32_t count = 0;
  std::int64_t head_stride = 0;
  std::int64_t sink_stride = 0;
};

/// Philox4x32-10 with key `seed` and counter `(key / 4, query, head, offset)`; word `key % 4` decides. Query, key and head
/// count in the whole problem, which this one may be a part of.
struct DropoutRef {
  std::uint32_t threshold = 0;  ///< a pair is dropped if its word is below; 0: no dropout
  double keep_scale = 1;        ///< 1 / (1 - probability)
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;
  const std::int32_t* q_positions = nullptr;  ///< (total_q), null: the row's number
  const std::int32_t* k_positions = nullptr;  ///< (total_k)
  std::int32_t first_head = 0;
};

/// What forward and backward share.
struct AttentionShape {
  ScalarType type = ScalarType::float32;
  std::int64_t total_q = 0;
  std::int64_t total_k = 0;
  std::int32_t heads_q = 0;
  std::int32_t heads_kv = 0;
  std::int32_t dim_qk = 0;
  std::int32_t dim_v = 0;
  double scale = 1;
  double softcap = 0;  ///< 0: none
  DropoutRef dropout;
  SinkRef sink;
  std::int64_t pack_bytes = 0;  ///< what packed tensors may take, at least one key head's
};

/// out, lse = attention(q, k, v). `out` is of the inputs' or of the accumulator type.
struct ForwardProblem {
  AttentionShape shape;
  Lowered rows;
  TensorRef q, k, v;
  TensorRef out, lse;
  TensorRef row_max;           ///< optional
  bool merge = false;          ///< join the results that out, lse, row_max hold instead of overwriting them
  bool aligned_steps = false;  ///< cut keys at multiples of the step
};

/// dq, dk, dv, dsink from dout and what the forward saved.
struct BackwardProblem {
  AttentionShape shape;
  Lowered rows;
  Lowered columns;
  TensorRef dout, q, k, v, out, lse;
  TensorRef dq, dk, dv;
  void* dsink = nullptr;  ///< optional, `(heads_q, sinks)` with the strides below
  std::int64_t dsink_head_stride = 0;
  std::int64_t dsink_sink_stride = 0;
  bool accumulate = false;    ///< add to dk, dv and dsink instead of overwriting
  bool accumulate_q = false;  ///< add to dq
  bool any_order = false;     ///< sums need not have the same bits on every run
  /// `backward_workspace_bytes`: `(heads_q, total_q)` accumulators and, with `any_order`, at the next multiple of 16 bytes
  /// `(total_q, heads_q, dim_qk)`.
  void* workspace = nullptr;
};

}  // namespace caesura
