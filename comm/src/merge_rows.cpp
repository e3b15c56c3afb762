// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/reduce_rows.hpp"
#include "impl/reduce_types.hpp"

#include <Kokkos_Core.hpp>

#include <string>

namespace caesura::comm::impl {
namespace {

/// Merges partial attention results. First all of `out`, which needs the old `lse`, then `lse`.
template <class Partial, class Result>
struct MergeRows {
  using Sum = Accumulator<Partial, Result>;
  using PartialLse = Accumulator<Partial, Partial>;
  using ResultLse = Accumulator<Result, Result>;

  MergeProblem problem;
  std::int64_t heads, dim;

  /// The largest lse, and the sum of exp(lse - largest).
  struct Weights {
    Sum largest, sum;
  };

  KOKKOS_FUNCTION static constexpr Sum nothing() { return -Kokkos::Experimental::infinity_v<Sum>; }

  template <class Value>
  KOKKOS_FUNCTION static Value* element(const RowLayout& layout, std::int64_t row, std::int64_t at) {
    return reinterpret_cast<Value*>(layout.data + row * layout.row_stride +
                                    layout.offset(at * static_cast<std::int64_t>(sizeof(Value))));
  }
  KOKKOS_FUNCTION ResultLse* lse(const ReducedPiece& piece, std::int64_t row, std::int64_t head) const {
    return element<ResultLse>(problem.lse, piece.row + row, head);
  }
  KOKKOS_FUNCTION Sum partial_lse(const ReducedPiece& piece, std::int32_t term, std::int64_t row,
                                  std::int64_t head) const {
    const Term& from = problem.lists.terms[piece.first_term + term];
    return static_cast<Sum>(*reinterpret_cast<const PartialLse*>(
        problem.partial_lse.at(piece, from, row, head * static_cast<std::int64_t>(sizeof(PartialLse)))));
  }
  KOKKOS_FUNCTION Sum partial_out(const ReducedPiece& piece, std::int32_t term, std::int64_t row,
                                  std::int64_t at) const {
    const Term& from = problem.lists.terms[piece.first_term + term];
    return static_cast<Sum>(*reinterpret_cast<const Partial*>(
        problem.partial_out.at(piece, from, row, at * static_cast<std::int64_t>(sizeof(Partial)))));
  }

  KOKKOS_FUNCTION Weights weigh(const ReducedPiece& piece, std::int64_t row, std::int64_t head) const {
    Weights result = {problem.accumulate ? static_cast<Sum>(*lse(piece, row, head)) : nothing(), Sum(0)};
    for (std::int32_t t = 0; t < piece.terms; ++t) {
      const Sum value = partial_lse(piece, t, row, head);
      if (value > result.largest || value != value) result.largest = value;
    }
    if (result.largest == nothing()) return result;
    if (problem.accumulate) result.sum = weight(static_cast<Sum>(*lse(piece, row, head)), result.largest);
    for (std::int32_t t = 0; t < piece.terms; ++t)
      result.sum += weight(partial_lse(piece, t, row, head), result.largest);
    return result;
  }
  KOKKOS_FUNCTION static Sum weight(Sum value, Sum largest) {
    return value == nothing() && largest == largest ? Sum(0) : Kokkos::exp(value - largest);
  }

  KOKKOS_FUNCTION void merge_element(const ReducedPiece& piece, std::int64_t row, std::int64_t head, std::int64_t i,
                                     const Weights& weights) const {
    const std::int64_t at = head * dim + i;
    Result* const out = element<Result>(problem.out, piece.row + row, at);
    Sum sum = 0;
    if (weights.largest != nothing()) {
      // What saw no key is left out: its rows may hold anything.
      if (problem.accumulate) {
        const Sum factor = weight(static_cast<Sum>(*lse(piece, row, head)), weights.largest);
        if (factor != 0) sum = factor * static_cast<Sum>(*out);
      }
      for (std::int32_t t = 0; t < piece.terms; ++t) {
        const Sum factor = weight(partial_lse(piece, t, row, head), weights.largest);
        if (factor != 0) sum += factor * partial_out(piece, t, row, at);
      }
      sum /= weights.sum;
    }
    *out = static_cast<Result>(sum);
  }
  KOKKOS_FUNCTION void merge_lse(const ReducedPiece& piece, std::int64_t row, std::int64_t head,
                                 const Weights& weights) const {
    *lse(piece, row, head) =
        static_cast<ResultLse>(weights.largest == nothing() ? nothing() : weights.largest + Kokkos::log(weights.sum));
  }

  void operator()(std::int64_t item) const {
    const ReducedPiece& piece = problem.lists.pieces[item];
    for (std::int64_t row = 0; row < piece.rows; ++row) {
      for (std::int64_t head = 0; head < heads; ++head) {
        const Weights weights = weigh(piece, row, head);
        for (std::int64_t i = 0; i < dim; ++i) merge_element(piece, row, head, i, weights);
        merge_lse(piece, row, head, weights);
      }
    }
  }

  template <class Member>
  KOKKOS_FUNCTION void merge_as_team(const Member& team) const {
    const ReducedPiece piece = problem.lists.pieces[team.league_rank()];
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, piece.rows * heads * dim), [&](std::int64_t at) {
      const std::int64_t row = at / (heads * dim), head = at / dim % heads;
      merge_element(piece, row, head, at % dim, weigh(piece, row, head));
    });
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, piece.rows * heads), [&](std::int64_t at) {
      const std::int64_t row = at / heads, head = at % heads;
      merge_lse(piece, row, head, weigh(piece, row, head));
    });
  }
};

template <class Partial, class Result>
struct MergeRowsTeam {
  MergeRows<Partial, Result> merge;

  template <class Member>
  KOKKOS_FUNCTION void operator()(const Member& team) const {
    merge.merge_as_team(team);
  }
};

template <class Partial, class Result>
void launch(const Instance& instance, const MergeProblem& problem) {
  static const std::string label = "caesura::comm::merge";
  using Merge = MergeRows<Partial, Result>;
  const std::int64_t heads = problem.lse.row_bytes / static_cast<std::int64_t>(sizeof(typename Merge::ResultLse));
  if (heads == 0) return;
  const Merge merge{problem, heads, problem.out.row_bytes / static_cast<std::int64_t>(sizeof(Result)) / heads};
  instance.visit([&](const auto& space) {
    using Space = std::remove_cvref_t<decltype(space)>;
    if constexpr (Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Space::memory_space>::accessible) {
      Kokkos::parallel_for(
          label, Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>(space, 0, problem.lists.count), merge);
    } else {
      Kokkos::parallel_for(label, Kokkos::TeamPolicy<Space>(space, static_cast<int>(problem.lists.count), 256),
                           MergeRowsTeam<Partial, Result>{merge});
    }
  });
}

}  // namespace

void merge_rows(const Instance& instance, const MergeProblem& problem) {
  if (problem.lists.count == 0) return;
  with_types(problem.partial_type, problem.out_type,
             [&]<class Partial, class Result>(TypeTag<Partial>, TypeTag<Result>) {
               if constexpr (!std::is_integral_v<Partial>) launch<Partial, Result>(instance, problem);
             });
}

}  // namespace caesura::comm::impl
