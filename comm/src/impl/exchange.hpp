// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/copy_rows.hpp"
#include "impl/memory.hpp"
#include "impl/transport.hpp"
#include <caesura/comm/rows.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace caesura::comm::impl {

class Endpoint;

enum class Arrival : std::uint8_t {
  in_place,  ///< received rows go to their blocks of a View
  gathered   ///< they stay in the exchange's own memory, one message behind the other in the order of ranks
};

enum class Pattern : std::uint8_t {
  pairs,
  everybody  ///< one block, the same for all, and one block from each: an all-gather
};

/// Rows for, or from, one other rank; blocks that follow each other are one.
struct PeerBlocks {
  int peer = 0;
  std::vector<RowBlock> blocks;
  std::int64_t rows = 0;
};

/// The engine of every operation: at most one message for and from each other rank, from where the rows lie if a
/// message's rows lie together, through message memory otherwise. Everything it needs is kept for the next start; what
/// depends on the Views, for those that were used last.
class Exchange {
 public:
  /// \p operation must live forever. The own rank's blocks are copied if arrival is in_place; else only `everybody`
  /// gathers them.
  /// \throws Error (invalid_argument) if a block's peer is no rank, its rows are negative, or a rank's own do not match
  Exchange(std::shared_ptr<Transport> transport, std::string_view operation, const std::vector<RowBlock>& sends,
           const std::vector<RowBlock>& receives, Arrival arrival = Arrival::in_place,
           Pattern pattern = Pattern::pairs);
  ~Exchange();

  /// \p receive is not used if arrival is gathered. \returns whether there is anything to wait for
  bool start(Endpoint& endpoint, const Instance& instance, const Rows& send, const Rows& receive);
  /// Whether it is complete; unpacks then.
  bool test();
  void wait();
  bool under_way() const { return current_ != nullptr; }
  /// Gives up what is under way, if anything is: afterwards nobody touches the Views.
  void abandon() {
    if (under_way()) give_up();
  }

  std::int64_t memory_bytes() const;
  std::string_view operation() const { return operation_; }

  /// Gathered: the rows, and the number of the first one of \p peer.
  std::byte* arrived() const { return receive_memory_.data(); }
  std::int64_t first_arrived(int peer) const { return first_arrived_[static_cast<std::size_t>(peer)]; }

 private:
  struct Binding;

  Binding& bind(const Instance& instance, const Rows& send, const Rows& receive);
  void check_views(const Instance& instance, const Rows& send, const Rows& receive) const;
  void bind_sends(Binding& binding, const Instance& instance, const Rows& send, std::vector<Message>& messages);
  void bind_receives(Binding& binding, const Instance& instance, const Rows& receive, std::vector<Message>& messages);
  void bind_everybody(Binding& binding, const Instance& instance, const Rows& receive);
  void bind_own(Binding& binding, const Instance& instance) const;
  void reserve(Memory& memory, const Instance& instance, std::int64_t bytes);
  void finish();
  void give_up();
  void release();

  std::shared_ptr<Transport> transport_;
  std::string_view operation_;
  Arrival arrival_;
  Pattern pattern_;
  std::vector<PeerBlocks> sends_, receives_;  // by rank, without the own one
  PeerBlocks own_sends_, own_receives_;
  std::int64_t sent_end_ = 0, received_end_ = 0;  // behind the last row of any block
  std::vector<std::int64_t> first_arrived_;
  std::int64_t arriving_rows_ = 0;

  Memory send_memory_, receive_memory_;
  std::vector<std::unique_ptr<Binding>> bindings_;  // last used first; they refer to the memory
  Binding* current_ = nullptr;
  std::optional<Instance> instance_;
};

}  // namespace caesura::comm::impl
