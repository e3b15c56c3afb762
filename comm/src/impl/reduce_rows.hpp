// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/row_layout.hpp"
#include <caesura/comm/impl/instance.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/element_type.hpp>

#include <cstddef>
#include <cstdint>

namespace caesura::comm::impl {

/// A partial row: of the own View, or of those that arrived.
struct Term {
  std::int64_t row = 0;
  bool own = false;
};

/// Rows of a result that are made of equally many terms: of row `skip` + i behind the first of each term.
struct ReducedPiece {
  std::int64_t row = 0;
  std::int64_t rows = 0;
  std::int64_t skip = 0;
  std::int64_t first_term = 0;
  std::int32_t terms = 0;
};

/// In the memory of the kernel.
struct TermLists {
  const ReducedPiece* pieces = nullptr;
  std::int64_t count = 0;
  const Term* terms = nullptr;
};

/// Where partial rows lie.
struct PartialRows {
  RowLayout own;
  const std::byte* arrived = nullptr;

  KOKKOS_INLINE_FUNCTION const std::byte* at(const ReducedPiece& piece, const Term& term, std::int64_t row,
                                             std::int64_t byte) const {
    const std::int64_t from = term.row + piece.skip + row;
    return term.own ? own.data + from * own.row_stride + own.offset(byte) : arrived + from * own.row_bytes + byte;
  }
};

struct ReduceProblem {
  TermLists lists;
  PartialRows partial;
  RowLayout result;
  ElementType partial_type = ElementType::float32, result_type = ElementType::float32;
  Reduction reduction = Reduction::sum;
  bool accumulate = false;
};

/// result = the terms of each row, reduced in their order. Asynchronous on \p instance.
void reduce_rows(const Instance& instance, const ReduceProblem& problem);

struct MergeProblem {
  TermLists lists;
  PartialRows partial_out, partial_lse;
  RowLayout out, lse;
  ElementType partial_type = ElementType::float32, out_type = ElementType::float32;
  bool accumulate = false;
};

/// The same by log-sum-exp, see `GroupReduce::start_lse`.
void merge_rows(const Instance& instance, const MergeProblem& problem);

/// Whether rows of the first type can be reduced to rows of the second.
bool can_reduce(ElementType partial, ElementType result);

/// `double`, `half`, `int32` ...
const char* name_of_element(ElementType type);

}  // namespace caesura::comm::impl
