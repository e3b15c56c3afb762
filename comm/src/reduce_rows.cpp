// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/reduce_rows.hpp"

#include "impl/reduce_types.hpp"

#include <Kokkos_Core.hpp>

#include <numeric>
#include <string>

namespace caesura::comm::impl {
namespace {

/// On a host space a thread reduces a piece, `width` elements at a time, which the compiler turns into vectors; on a
/// device a team does, an element a thread.
template <class Partial, class Result>
struct ReduceRows {
  using Sum = Accumulator<Partial, Result>;
  static constexpr std::int64_t width = 16;

  ReduceProblem problem;
  std::int64_t run;  // elements that lie together in partial rows and in those of the result

  KOKKOS_FUNCTION Sum join(Sum sum, Sum value) const {
    switch (problem.reduction) {
      case Reduction::max: return value > sum || value != value ? value : sum;  // a NaN goes through
      case Reduction::min: return value < sum || value != value ? value : sum;
      default: return sum + value;
    }
  }

  /// Elements [at, at + Width) of a row.
  template <int Width>
  KOKKOS_FUNCTION void reduce(const ReducedPiece& piece, std::int64_t row, std::int64_t at) const {
    const RowLayout& layout = problem.result;
    Result* const result = reinterpret_cast<Result*>(layout.data + (piece.row + row) * layout.row_stride +
                                                     layout.offset(at * static_cast<std::int64_t>(sizeof(Result))));
    const Term* const terms = problem.lists.terms + piece.first_term;
    Sum sum[Width];
    for (int i = 0; i < Width; ++i) sum[i] = problem.accumulate ? static_cast<Sum>(result[i]) : Sum(0);
    for (std::int32_t t = 0; t < piece.terms; ++t) {
      const auto* partial = reinterpret_cast<const Partial*>(
          problem.partial.at(piece, terms[t], row, at * static_cast<std::int64_t>(sizeof(Partial))));
      if (t == 0 && !problem.accumulate) {
        for (int i = 0; i < Width; ++i) sum[i] = static_cast<Sum>(partial[i]);
      } else {
        for (int i = 0; i < Width; ++i) sum[i] = join(sum[i], static_cast<Sum>(partial[i]));
      }
    }
    const std::int32_t count = piece.terms + (problem.accumulate ? 1 : 0);
    if (problem.reduction == Reduction::mean && count > 1) {
      for (int i = 0; i < Width; ++i) sum[i] /= static_cast<Sum>(count);
    }
    for (int i = 0; i < Width; ++i) result[i] = static_cast<Result>(sum[i]);
  }

  KOKKOS_FUNCTION std::int64_t elements() const {
    return problem.result.row_bytes / static_cast<std::int64_t>(sizeof(Result));
  }

  void operator()(std::int64_t item) const {
    const ReducedPiece& piece = problem.lists.pieces[item];
    for (std::int64_t row = 0; row < piece.rows; ++row) {
      for (std::int64_t begin = 0; begin < elements(); begin += run) {
        std::int64_t at = begin;
        for (; at + width <= begin + run; at += width) reduce<width>(piece, row, at);
        for (; at < begin + run; ++at) reduce<1>(piece, row, at);
      }
    }
  }

  template <class Member>
  KOKKOS_FUNCTION void reduce_as_team(const Member& team) const {
    const ReducedPiece piece = problem.lists.pieces[team.league_rank()];
    const std::int64_t n = elements();
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, piece.rows * n),
                         [&](std::int64_t i) { reduce<1>(piece, i / n, i % n); });
  }
};

template <class Partial, class Result>
struct ReduceRowsTeam {
  ReduceRows<Partial, Result> reduce;

  template <class Member>
  KOKKOS_FUNCTION void operator()(const Member& team) const {
    reduce.reduce_as_team(team);
  }
};

template <class Partial, class Result>
void launch(const Instance& instance, const ReduceProblem& problem) {
  static const std::string label = "caesura::comm::reduce";
  const ReduceRows<Partial, Result> reduce{
      problem, std::gcd(problem.partial.own.run / static_cast<std::int64_t>(sizeof(Partial)),
                        problem.result.run / static_cast<std::int64_t>(sizeof(Result)))};
  instance.visit([&](const auto& space) {
    using Space = std::remove_cvref_t<decltype(space)>;
    if constexpr (Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Space::memory_space>::accessible) {
      Kokkos::parallel_for(
          label, Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>(space, 0, problem.lists.count), reduce);
    } else {
      Kokkos::parallel_for(label, Kokkos::TeamPolicy<Space>(space, static_cast<int>(problem.lists.count), 256),
                           ReduceRowsTeam<Partial, Result>{reduce});
    }
  });
}

}  // namespace

void reduce_rows(const Instance& instance, const ReduceProblem& problem) {
  if (problem.lists.count == 0 || problem.result.row_bytes == 0) return;
  with_types(problem.partial_type, problem.result_type,
             [&]<class Partial, class Result>(TypeTag<Partial>, TypeTag<Result>) {
               launch<Partial, Result>(instance, problem);
             });
}

bool can_reduce(ElementType partial, ElementType result) {
  return with_types(partial, result, [](auto, auto) {});
}

const char* name_of_element(ElementType type) {
  constexpr const char* names[] = {"double", "float", "half", "bfloat16", "int32", "int64", "byte"};
  return names[static_cast<int>(type)];
}

}  // namespace caesura::comm::impl
