// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>
#include <caesura/comm/impl/instance.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/comm/request.hpp>
#include <caesura/comm/rows.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace caesura::comm {

/// Splits of consecutive rows that each go to a *set* of ranks, seen from one rank.
///
/// The splits that a rank receives from another come in the order in which that one has them. As in MagiAttention's
/// group collectives (arXiv:2505.13211).
struct GroupSplits {
  std::vector<std::int64_t> input_rows;        ///< rows of each split of this rank, one behind the other
  std::vector<std::vector<int>> destinations;  ///< the ranks each goes to, ascending; may be empty, may name this rank
  std::vector<std::int64_t> output_rows;       ///< rows of each split that this rank receives, one behind the other
  std::vector<int> sources;                    ///< the rank each comes from
};

/// What a group reduce does with the partial results of a row.
enum class GroupReduction : std::uint8_t { sum, mean };

/// What a group reduce does with the rows' values before it.
enum class Existing : std::uint8_t {
  overwrite,  ///< rows that no partial result comes for become 0
  accumulate  ///< they are the first term; a mean counts them as one
};

/// Sends each split to its set of ranks. A prepared exchange as `RowExchange`: no row is copied more than once on a
/// side, nothing is allocated after the first use.
class GroupCast {
 public:
  /// Collective.
  /// \throws Error (invalid_argument) if lists differ in length, a rank is none, or destinations do not ascend
  GroupCast(const Communicator& communicator, GroupSplits splits);

  /// \param send     (sum of input_rows, ...)
  /// \param receive  (sum of output_rows, ...)
  template <ExecutionSpace Space, RowsView Send, WritableRowsView Receive>
  Request start(const Space& space, const Send& send, const Receive& receive) {
    static_assert(std::is_same_v<typename Send::non_const_value_type, typename Receive::value_type>,
                  "GroupCast: send and receive must have the same element type");
    return start_rows(space, send, receive);
  }

  const GroupSplits& splits() const;
  std::int64_t memory_bytes() const;
  Request start_rows(const impl::Instance& instance, const Rows& send, const Rows& receive);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// The transpose of `GroupCast`: partial results of the received rows go back to the rank that has the split, which
/// reduces them in the order of ascending ranks, in double for double and in float otherwise, whatever is sent.
class GroupReduce {
 public:
  /// The splits of the cast it reverses. Collective.
  GroupReduce(const Communicator& communicator, GroupSplits splits);

  /// \param partial  (sum of output_rows, ...), for instance gradients of the received rows
  /// \param result   (sum of input_rows, ...); its elements may be wider than the partial ones
  template <ExecutionSpace Space, ReducibleRowsView Partial, ReducibleRowsView Result>
    requires WritableRowsView<Result>
  Request start(const Space& space, const Partial& partial, const Result& result,
                GroupReduction reduction = GroupReduction::sum, Existing existing = Existing::overwrite) {
    return start_rows(space, partial, result, reduction, existing);
  }

  /// Merges partial attention results over disjoint keys: out = sum exp(lse_i - lse) out_i, lse = log sum exp(lse_i).
  /// Rows that saw no key have lse = -inf; merged with others they change nothing, among themselves they stay
  /// out = 0, lse = -inf. A NaN goes through.
  /// \param partial_out  (sum of output_rows, heads, dim)
  /// \param partial_lse  (sum of output_rows, heads), natural log, float (double for double)
  /// \param out, lse     (sum of input_rows, ...)
  /// Source: online softmax, Milakov & Gimelshein 2018, arXiv:1805.02867.
  template <ExecutionSpace Space, ReducibleRowsView PartialOut, ReducibleRowsView PartialLse, ReducibleRowsView Out,
            ReducibleRowsView Lse>
    requires WritableRowsView<Out> && WritableRowsView<Lse>
  Request start_lse(const Space& space, const PartialOut& partial_out, const PartialLse& partial_lse, const Out& out,
                    const Lse& lse, Existing existing = Existing::overwrite) {
    return start_lse_rows(space, partial_out, partial_lse, out, lse, existing);
  }

  const GroupSplits& splits() const;
  std::int64_t memory_bytes() const;
  Request start_rows(const impl::Instance& instance, const Rows& partial, const Rows& result, GroupReduction reduction,
                     Existing existing);
  Request start_lse_rows(const impl::Instance& instance, const Rows& partial_out, const Rows& partial_lse,
                         const Rows& out, const Rows& lse, Existing existing);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// `GroupCast`, once.
template <ExecutionSpace Space, RowsView Send, WritableRowsView Receive>
Request group_cast(const Space& space, const Communicator& communicator, const Send& send, const Receive& receive,
                   const GroupSplits& splits) {
  return GroupCast(communicator, splits).start(space, send, receive);
}

/// `GroupReduce`, once.
template <ExecutionSpace Space, ReducibleRowsView Partial, ReducibleRowsView Result>
  requires WritableRowsView<Result>
Request group_reduce(const Space& space, const Communicator& communicator, const Partial& partial, const Result& result,
                     const GroupSplits& splits, GroupReduction reduction = GroupReduction::sum) {
  return GroupReduce(communicator, splits).start(space, partial, result, reduction);
}

}  // namespace caesura::comm
