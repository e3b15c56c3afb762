// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/communicator.hpp>
#include <caesura/error.hpp>
#include <caesura/mask.hpp>
#include <caesura/scalar.hpp>
#include <caesura/spaces.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace caesura {

/// A part of a long sequence whose queries are computed together, on the keys of themselves and of the past.
struct MicroSequence {
  Range queries;
  Range keys;  ///< from the first key that one of the queries sees (the begin of its document) to the last
  Mask mask;   ///< queries and keys counted from where both begin
};

/// The micro-sequence of \p queries under \p mask. Documents that straddle the border keep their diagonal: nothing is
/// aligned anew. As in Fast-LLM's micro-sequences (PR 514).
/// \throws Error if \p queries are not rows of the mask
MicroSequence micro_sequence(const Mask& mask, Range queries);

/// Keys and values of a whole sequence, `(total, 2, heads_kv, dim)`, allocated once: micro-sequence after
/// micro-sequence is written, or gathered from other ranks, into its rows, and kernels read from it without a copy. The
/// same type in the accumulator scalar takes up gradients: every micro-sequence's backward adds to the rows that it
/// saw (`GradientMode::accumulate`), and rows that nobody saw stay exact zeros.
template <AttentionScalar Scalar, class MemorySpace>
class KvBuffer {
 public:
  using Rows = Kokkos::View<Scalar****, Kokkos::LayoutRight, MemorySpace>;
  using Tensor = Kokkos::View<Scalar***, Kokkos::LayoutStride, MemorySpace>;

  /// Zeros.
  template <ExecutionSpace Space>
  KvBuffer(const Space& space, std::int64_t total, std::int64_t heads_kv, std::int64_t dim) {
    require(total >= 0 && heads_kv >= 1 && dim >= 1, [&] {
      return text("KvBuffer: total, heads_kv, dim = ", total, ", ", heads_kv, ", ", dim, ": must be at least 0, 1, 1");
    });
    rows_ = Rows(Kokkos::view_alloc(space, "caesura::KvBuffer"), size(total), 2, size(heads_kv), size(dim));
  }

  std::int64_t total() const { return static_cast<std::int64_t>(rows_.extent(0)); }
  std::int64_t memory_bytes() const { return static_cast<std::int64_t>(rows_.size() * sizeof(Scalar)); }

  /// (rows, 2, heads_kv, dim)
  Rows rows(Range range) const {
    check(range);
    return Kokkos::subview(rows_, std::pair(size(range.begin), size(range.end)), Kokkos::ALL, Kokkos::ALL, Kokkos::ALL);
  }
  /// (rows, heads_kv, dim), as attention takes k and v, or dk and dv.
  Tensor keys(Range range) const { return one_of_pair(range, 0); }
  Tensor values(Range range) const { return one_of_pair(range, 1); }

  /// Gathers rows \p range from all ranks straight into the buffer.
  /// \param local  (rows_of_rank[rank], 2, heads_kv, dim), the next part of the range in the order of ranks
  /// \param rows_of_rank  (ranks), together `range.size()`
  template <ExecutionSpace Space, comm::RowsView Local>
  comm::Request gather(const Space& space, const comm::Communicator& communicator, const Local& local, Range range,
                       std::span<const std::int64_t> rows_of_rank) const {
    const std::int64_t together = std::accumulate(rows_of_rank.begin(), rows_of_rank.end(), std::int64_t{0});
    require(together == range.size(), [&] {
      return text("KvBuffer::gather: rows_of_rank = ", together, " rows together: must be those of the range, ",
                  range.size());
    });
    return comm::all_gather_v(space, communicator, local, rows(range), rows_of_rank);
  }

 private:
  static std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }
  void check(Range range) const {
    require(range.begin >= 0 && range.begin <= range.end && range.end <= total(), [&] {
      return text("KvBuffer: range = [", range.begin, ", ", range.end, "): must lie in [0, ", total(), ")");
    });
  }
  Tensor one_of_pair(Range range, std::size_t which) const {
    check(range);
    return Kokkos::subview(rows_, std::pair(size(range.begin), size(range.end)), which, Kokkos::ALL, Kokkos::ALL);
  }

  Rows rows_;
};

}  // namespace caesura
