// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/pack.hpp"
#include "backends/portable/backward.hpp"

#include <array>

// Rows of tensors as the kernels read them that work in place.

namespace caesura::host_simd {

/// Rows of words, where they lie in a tensor or copied.
template <class Word>
struct TensorRows {
  const Word* data;
  std::int64_t pitch;
};

/// Whether \p rows rows from \p begin can be read where they lie: of the words' type, within the tensor and within a batch.
template <class Scalar, class Word>
bool lies_in_place(const RowSpan& span, std::int64_t begin, std::int64_t rows) {
  if constexpr (!std::is_same_v<Scalar, Word>) return false;
  return span.tensor.type == scalar_type_v<Scalar> && begin + rows <= span.end && in_a_batch(span.tensor, begin, rows);
}

/// Rows in place.
template <class Scalar, class Word>
TensorRows<Word> rows_in_place(const RowSpan& span, std::int64_t begin) {
  const void* const first = row_of<Scalar>(span.tensor, begin, span.head);
  return {static_cast<const Word*>(first), span.tensor.row_stride};
}

/// No value of \p count rows of \p columns columns, whole vectors, is infinite or NaN.
template <class Real>
bool is_finite(const TensorRows<Real>& rows, int count, int columns) {
  constexpr int step = 2 * width<Real>;
  const Vector<Real> zero(Real(0));
  Vector<Real> even = zero, odd = zero;  // an infinity or NaN times 0 is not 0
  for (int r = 0; r < count; ++r) {
    const Real* const row = rows.data + r * rows.pitch;
    int c = 0;
    for (; c + step <= columns; c += step) {
      even = Kokkos::fma(load<Real>(row + c), zero, even);
      odd = Kokkos::fma(load<Real>(row + c + width<Real>), zero, odd);
    }
    if (c < columns) even = Kokkos::fma(load<Real>(row + c), zero, even);
  }
  return Kokkos::Experimental::all_of(even + odd == zero);
}

/// delta, rowsum(dout * out), of \p count rows; in the workspace as well where dsink takes it.
template <class Scalar, class Real>
void find_delta(const BackwardProblem& problem, std::int64_t begin, int count, int head, Real* delta) {
  const int dim = problem.shape.dim_v;
  const auto rows_of = [&](const TensorRef& tensor, auto type) {
    using Value = decltype(type);
    const bool regular = in_a_batch(tensor, begin, count);
    const Value* const first = row_of<Value>(tensor, begin, head);
    return [=, &tensor](std::int64_t i) {
      return regular ? first + i * tensor.row_stride : row_of<Value>(tensor, begin + i, head);
    };
  };
  with_type<Scalar>(problem.dout, [&](auto dout_type) {
    const auto dout_of = rows_of(problem.dout, dout_type);
    with_type<Scalar>(problem.out, [&](auto out_type) {
      const auto out_of = rows_of(problem.out, out_type);
      for (int i = 0; i < count; ++i) {
        const auto* const dout = dout_of(i);
        const auto* const out = out_of(i);
        prefetch(out + rows_ahead * problem.out.row_stride, dim * std::int64_t{sizeof(*out)});
        Vector<Real> sum(Real(0));
        int d = 0;
        for (; d + width<Real> <= dim; d += width<Real>)
          sum = Kokkos::fma(load_converted<Real>(out + d), load_converted<Real>(dout + d), sum);
        Real rest = 0;
        for (; d < dim; ++d) rest += static_cast<Real>(out[d]) * static_cast<Real>(dout[d]);
        delta[i] = Kokkos::Experimental::reduce(sum, std::plus<>()) + rest;
      }
    });
  });
  if (!problem.dsink) return;
  const portable::DeltaRef<Real> all{static_cast<Real*>(problem.workspace), problem.shape.total_q};
  for (int i = 0; i < count; ++i) all(begin + i, head) = delta[i];
}

/// Rows that are read soon, of some lines each.
struct AheadRows {
  const char* first = nullptr;
  std::int64_t row_bytes = 0;
  int rows = 0, lines = 1;
};

/// Asks for rows of several tensors with the steps of products, one or two lines a step: asked for all at once they would
/// hold up what is at hand.
class Ahead {
 public:
  /// \p rows rows from \p begin, as far as there are.
  template <class Scalar>
  void add(const RowSpan& span, std::int64_t begin, std::int64_t rows) {
    rows = std::min(rows, span.end - begin);
    if (rows <= 0) return;
    with_type<Scalar>(span.tensor, [&](auto type) {
      using Value = decltype(type);
      constexpr int size = sizeof(Value);
      parts_[static_cast<std::size_t>(count_++)] = {
          reinterpret_cast<const char*>(row_of<Value>(span.tensor, begin, span.head)), span.tensor.row_stride * size,
          static_cast<int>(rows), (span.dim * size + line_bytes - 1) / line_bytes};
    });
  }
  /// Those that come next. More can be asked for than there are: then it is one line again and again, which is at hand.
  AheadRows now() const {
    const AheadRows& part = parts_[static_cast<std::size_t>(at_)];
    return part.rows > 0 ? part : AheadRows{.first = reinterpret_cast<const char*>(this)};
  }
  /// \p lines lines of `now` were asked for.
  KOKKOS_FORCEINLINE_FUNCTION void skip(int lines) {
    AheadRows& part = parts_[static_cast<std::size_t>(at_)];
    const int rows = std::min(lines / part.lines, part.rows);
    part.first += rows * part.row_bytes;
    part.rows -= rows;
    if (part.rows == 0 && at_ + 1 < count_) ++at_;
  }

 private:
  std::array<AheadRows, 5> parts_{};
  int at_ = 0, count_ = 0;
};

}  // namespace caesura::host_simd
