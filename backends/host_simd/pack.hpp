// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/multiply.hpp"
#include "backends/portable/residents.hpp"
#include <caesura/host_topology.hpp>
#include <caesura/problem.hpp>

#include <algorithm>
#include <cstring>

// From rows of tensors to the factors of products, and back. Both factors have the depth outermost, so that products
// read memory in order: panels `(depth, rows of a block)` and lanes `(depth, lanes)`. Either can have tensor rows
// (`pack_rows`: the depth is dim) or columns of dim (`pack_columns`: the depth is tensor rows) side by side.

namespace caesura::host_simd {

using portable::round_up;
using portable::row_of;
using portable::with_type;

constexpr int words_of(int count, int pack) { return (count + pack - 1) / pack; }

/// One head of a tensor; its rows from `end` on count as zeros.
struct RowSpan {
  const TensorRef& tensor;
  std::int64_t end;
  int head;
  int dim;
};

/// Whether \p rows rows from \p begin are a row stride apart; packed tensors are one batch, which divides nothing.
inline bool in_a_batch(const TensorRef& tensor, std::int64_t begin, std::int64_t rows) {
  const std::int64_t batch = tensor.batch_rows;
  return begin + rows <= batch || begin / batch == (begin + rows - 1) / batch;
}

inline constexpr int max_line = 512 + 64;  ///< words of a row, padded

/// Whether \p value is infinite or NaN.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION bool is_special(Real value) {
  return !(std::abs(value) <= Kokkos::Experimental::finite_max_v<Real>);
}
/// Whether one of \p count values is.
template <class Real>
bool is_special(const Real* values, int count) {
  int special = 0;
  for (int i = 0; i < count; ++i) special |= is_special(values[i]);
  return special != 0;
}

/// \p count values of a row times \p factor. Returns whether one is infinite or NaN.
template <class Real, class From, class To>
bool convert_row(const From* __restrict from, int count, Real factor, To* __restrict to) {
  int i = 0, special = 0;
  if constexpr (std::is_same_v<From, half> && std::is_same_v<To, Real>) {  // compilers convert bfloat16 as well
    const Vector<Real> zero(Real(0));
    Vector<Real> sum = zero;  // an infinity or NaN times 0 is not 0
    for (; i + width<Real> <= count; i += width<Real>) {
      const Vector<Real> value = load_converted<Real>(from + i);
      sum = Kokkos::fma(value, zero, sum);
      store<Real>(to + i, value * Vector<Real>(factor));
    }
    special |= !Kokkos::Experimental::all_of(sum == zero);
  }
  for (; i < count; ++i) {
    const auto value = static_cast<Real>(from[i]);
    special |= is_special(value);
    to[i] = static_cast<To>(factor * value);
  }
  return special != 0;
}

inline constexpr int rows_ahead = 8;  ///< when rows are read one by one: so many before its turn, each is asked for

/// One row in the type of packed tensors, zeros up to \p padded. Returns whether a value is infinite or NaN.
template <class Words, class Scalar>
bool read_values(const RowSpan& span, std::int64_t row, typename Words::Real factor, int padded,
                 typename Words::Value* to) {
  using Real = typename Words::Real;
  using Value = typename Words::Value;
  if (row >= span.end) {
    std::fill_n(to, padded, Value(Real(0)));
    return false;
  }
  bool special = false;
  with_type<Scalar>(span.tensor, [&](auto type) {
    const auto* const from = row_of<decltype(type)>(span.tensor, row, span.head);
    prefetch(from + rows_ahead * span.tensor.row_stride, span.dim * std::int64_t{sizeof(type)});
    special = convert_row(from, span.dim, factor, to);
  });
  std::fill(to + span.dim, to + padded, Value(Real(0)));
  return special;
}

/// The same as words, neighbors of the row in one.
template <class Words, class Scalar>
bool read_line(const RowSpan& span, std::int64_t row, typename Words::Real factor, int padded,
               typename Words::Word* line) {
  if constexpr (Words::pack == 1) {
    return read_values<Words, Scalar>(span, row, factor, padded, line);
  } else {
    alignas(64) typename Words::Value values[max_line * Words::pack];
    const bool special = read_values<Words, Scalar>(span, row, factor, padded * Words::pack, values);
    std::memcpy(line, values, sizeof(typename Words::Word) * static_cast<std::size_t>(padded));
    return special;
  }
}

/// One word of the depth of columns: the rows `row .. row + pack - 1`, \p columns columns side by side, zeros behind dim.
template <class Words, class Scalar>
bool read_across(const RowSpan& span, std::int64_t row, int columns, typename Words::Word* line) {
  if constexpr (Words::pack == 1) {
    return read_line<Words, Scalar>(span, row, 1, columns, line);
  } else {
    using Word = typename Words::Word;
    alignas(64) typename Words::Value halves[2][max_line];
    bool special = read_values<Words, Scalar>(span, row, 1, columns, halves[0]);
    special |= read_values<Words, Scalar>(span, row + 1, 1, columns, halves[1]);
    for (int c = 0; c < columns; ++c) line[c] = halves[0][c].bits() | static_cast<Word>(halves[1][c].bits()) << 16;
    return special;
  }
}

enum class Prefetch { next_rows, nothing };

/// \p columns columns (whole `columns_at_once`) of \p rows rows: column c, times \p factor, at `to + c * to_pitch`.
/// Asks for the rows behind them, a few with each step. A function of its own for the sake of its registers: inlined,
/// the rows' addresses went through memory, as they do where compilers see how `next` and `asked` depend on them.
template <int rows, int count, Prefetch ask, class Word, class Real>
[[gnu::noinline]] void pack_transposed(const Word* from, std::int64_t pitch, int columns, Real factor, Word* to,
                                       std::int64_t to_pitch) {
  constexpr int step = columns_at_once<rows, Word, count>, vectors = rows * step / count;
  const std::int64_t vector_pitch = rows == count ? to_pitch : count;
  [[maybe_unused]] const Word* next = from + rows * pitch;
  [[maybe_unused]] int asked = 0;
#pragma GCC unroll 1
  for (int c = 0; c < columns; c += step) {
    Raw<Word, count> part[vectors];
    load_transposed<rows, Word, count>(from + c, pitch, part);
#pragma GCC unroll 16
    for (int i = 0; i < vectors; ++i) {
      if constexpr (std::is_floating_point_v<Word>) part[i] *= factor;
      std::memcpy(to + c * to_pitch + i * vector_pitch, &part[i], sizeof(part[i]));
    }
    if constexpr (ask == Prefetch::next_rows) {
#pragma GCC unroll 16
      for (int i = 0; i < vectors; ++i) {
        __builtin_prefetch(next, 0, 3);
        next += pitch;
        asm("" : "+r"(next));
      }
      next += step;
      asked += step;
      asm("" : "+r"(asked));
      if (asked % count == 0) next -= rows * pitch;
    }
  }
}

/// \p rows rows from \p begin side by side: word r of row i at `to[r * pitch + i]`; \p pitch is \p rows unless these
/// fill a vector. Asks for the next rows where callers pack them next: they are too far from each other for the
/// processor to see it coming.
template <class Words, class Scalar, int rows, Prefetch ask = Prefetch::next_rows>
void pack_rows(const RowSpan& span, std::int64_t begin, typename Words::Real factor, typename Words::Word* to,
               int pitch) {
  using Word = typename Words::Word;
  using Real = typename Words::Real;
  constexpr int count = width<Real>, step = columns_at_once<rows, Word, count>;
  const int depth = words_of(span.dim, Words::pack), whole = depth / step * step;
  const auto pack = [&]<Prefetch own>(const Word* from, std::int64_t from_pitch, Real own_factor) {
    pack_transposed<rows, count, own>(from, from_pitch, whole, own_factor, to, pitch);
    if (whole == depth) return;
    alignas(64) Word ends[rows * step] = {}, flat[rows * step];
    for (int i = 0; i < rows; ++i) std::copy_n(from + i * from_pitch + whole, depth - whole, ends + i * step);
    pack_transposed<rows, count, Prefetch::nothing>(ends, step, step, own_factor, flat, rows);
    for (int r = whole; r < depth; ++r) std::copy_n(flat + (r - whole) * rows, rows, to + r * pitch);
  };
  // Words that lie in the tensor as they are, a stride apart, need no line in between.
  if constexpr (std::is_same_v<Scalar, Word>) {
    const TensorRef& tensor = span.tensor;
    if (begin + rows <= span.end && tensor.type == scalar_type_v<Scalar> && in_a_batch(tensor, begin, rows))
      return pack.template operator()<ask>(row_of<Scalar>(tensor, begin, span.head), tensor.row_stride, factor);
  }
  alignas(64) Word lines[rows * max_line];
  const int padded = round_up(depth, count);
  for (int i = 0; i < rows; ++i) read_line<Words, Scalar>(span, begin + i, factor, padded, lines + i * padded);
  pack.template operator()<Prefetch::nothing>(lines, padded, Real(1));
}

/// Columns of dim side by side, in panels of \p panel columns (the last one may be of fewer): word r of the depth (rows
/// `begin + r * pack ..`) and column c at `to[c / panel * panel * depth + r * (columns of the panel) + c % panel]`, for
/// \p depth words.
template <class Words, class Scalar, int panel>
bool pack_columns(const RowSpan& span, std::int64_t begin, int depth, int columns, typename Words::Word* to) {
  using Word = typename Words::Word;
  // Several rows at a time: a row's panels lie far apart, often in one set of the cache.
  constexpr int rows = 8;
  alignas(64) Word lines[rows][max_line];
  bool special = false;
  for (int first = 0; first < depth; first += rows) {
    const int count = std::min(rows, depth - first);
    const Word* from[rows];
    for (int i = 0; i < count; ++i) {
      const int r = first + i;
      Word* const line = lines[i];
      from[i] = line;
      if constexpr (std::is_same_v<Scalar, Word>) {
        if (begin + r < span.end && columns == span.dim && span.tensor.type == scalar_type_v<Scalar>) {
          from[i] = row_of<Scalar>(span.tensor, begin + r, span.head);
          prefetch(from[i] + rows * span.tensor.row_stride, columns * std::int64_t{sizeof(Word)});
          special |= is_special(from[i], columns);
        } else {
          special |= read_across<Words, Scalar>(span, begin + r, columns, line);
        }
      } else {
        special |= read_across<Words, Scalar>(span, begin + r * Words::pack, columns, line);
      }
    }
    int c = 0;
    for (; c + panel <= columns; c += panel) {
      for (int i = 0; i < count; ++i)
        std::memcpy(to + c * depth + (first + i) * panel, from[i] + c, panel * sizeof(Word));
    }
    const int rest = columns - c;
    for (int i = 0; rest > 0 && i < count; ++i) std::copy_n(from[i] + c, rest, to + c * depth + (first + i) * rest);
  }
  return special;
}

/// What happens to the values that a tensor holds.
enum class Write {
  replace,
  stream,  ///< replaced past the caches: memory need not be read first. `fence_streams` after the last one
  add
};

/// How a whole tensor is replaced: past the caches where it would not stay in a core's own.
template <class Scalar>
Write replacing(std::int64_t rows, int heads, int dim) {
  static const std::int64_t own = host_topology().cache_bytes(2);
  return own > 0 && rows * heads * dim * static_cast<std::int64_t>(sizeof(Scalar)) > own ? Write::stream
                                                                                         : Write::replace;
}

/// Writes \p count values times \p factor, a row's neighbors.
template <class Value, class Real>
KOKKOS_FORCEINLINE_FUNCTION void write_row(Value* to, const Real* from, Real factor, int count, Write write) {
  if (write == Write::add) {
    for (int j = 0; j < count; ++j) {
      // Adding zero would turn -0 into 0: what nobody saw keeps its bits.
      const Real value = factor * from[j];
      to[j] = value == Real(0) ? to[j] : static_cast<Value>(static_cast<Real>(to[j]) + value);
    }
    return;
  }
  // + 0: a negative factor must not turn the zeros of what nobody saw into -0.
  const auto value = [&](int j) { return static_cast<Value>(factor * from[j] + Real(0)); };
  constexpr int of_line = line_bytes / static_cast<int>(sizeof(Value));
  int done = 0;
  if (write == Write::stream && reinterpret_cast<std::uintptr_t>(to) % line_bytes == 0) {
    for (; done + of_line <= count; done += of_line) {
      if constexpr (std::is_same_v<Value, Real>) {
        Raw<Real, of_line> line;
        std::memcpy(&line, from + done, line_bytes);
        stream_line(to + done, factor * line + Real(0));
      } else {
        alignas(line_bytes) Value line[of_line];
        if constexpr (std::is_same_v<Value, half>) {
          for (int j = 0; j < of_line; j += width<Real>)
            store_converted<Real>(
                line + j, Kokkos::fma(load<Real>(from + done + j), Vector<Real>(factor), Vector<Real>(Real(0))));
        } else {
          for (int j = 0; j < of_line; ++j) line[j] = value(done + j);
        }
        stream_line(to + done, static_cast<const void*>(line));
      }
    }
  }
  for (; done < count; ++done) to[done] = value(done);
}

/// The same in a row of a tensor, from column \p column on.
template <class Scalar, class Real>
void write_values(const TensorRef& tensor, std::int64_t row, int head, int column, int count, const Real* from,
                  Real factor, Write write) {
  with_type<Scalar>(tensor, [&](auto type) {
    auto* const to = static_cast<decltype(type)*>(tensor.data) + tensor.offset(row, head) + column;
    write_row(to, from, factor, count, write);
  });
}

/// Writes `(dim, lanes)` back as rows: row `begin + lane` of the tensor takes lane `lane`, for \p count lanes of one
/// vector, times \p factor lane by lane.
template <class Scalar, class Real>
void unpack_lanes(const TensorRef& tensor, std::int64_t begin, int count, int head, int dim, const Real* from,
                  int pitch, const Vector<Real>& factor, Write write) {
  constexpr int size = width<Real>, piece = columns_at_once<size, Real, size>;
  alignas(64) Real factors[size];
  store<Real>(factors, factor);
  constexpr int step = std::max(size, line_bytes / static_cast<int>(sizeof(Scalar)));  // columns: whole lines
  with_type<Scalar>(tensor, [&](auto type) {
    using Value = decltype(type);
    for (int d = 0; d < dim; d += step) {
      const int columns = std::min(step, dim - d);
      alignas(64) Real rows[size][step];
      for (int c = 0; c < columns; c += size) {
        const Real* block = from + (d + c) * pitch;
        std::int64_t block_pitch = pitch;
        alignas(64) Real ends[size * size];
        if (c + size > columns) {
          for (int j = 0; j < size; ++j)
            store<Real>(ends + j * size, c + j < columns ? load<Real>(block + j * pitch) : Vector<Real>(Real(0)));
          block = ends;
          block_pitch = size;
        }
        for (int i = 0; i < size; i += piece) {
          Raw<Real, size> part[piece];
          load_transposed<size, Real, size>(block + i, block_pitch, part);
          for (int j = 0; j < piece; ++j) {
            part[j] *= factors[i + j];
            std::memcpy(rows[i + j] + c, &part[j], sizeof(part[j]));
          }
        }
      }
      for (int i = 0; i < count; ++i) {
        Value* const to = static_cast<Value*>(tensor.data) + tensor.offset(begin + i, head) + d;
        // Whole lines have a count that the compiler knows.
        columns == step ? write_row(to, rows[i], Real(1), step, write)
                        : write_row(to, rows[i], Real(1), columns, write);
      }
    }
  });
}

}  // namespace caesura::host_simd
