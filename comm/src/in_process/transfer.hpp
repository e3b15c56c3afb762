// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "in_process/world.hpp"

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace caesura::comm::in_process {

class InProcessTransfer final : public impl::Transfer, private Waiting {
 public:
  /// \param ranks    the ranks of the world that the communicator has, in its order
  /// \param context  which communicator
  InProcessTransfer(std::shared_ptr<World> world, const std::vector<int>& ranks, int rank, int context,
                    std::string_view operation, const std::vector<impl::Message>& sends,
                    const std::vector<impl::Message>& receives);
  ~InProcessTransfer() override;

  void start(const impl::Instance& instance) override;
  bool test() override;
  void wait() override;

 private:
  /// Whose messages a rank copies: what it receives, or after a while of waiting what others should have received too,
  /// since they may wait for something else that this rank is late with.
  enum class Copies : std::uint8_t { received, all };

  /// Copies what can be copied. \returns whether all messages are complete, at `ready_`
  bool move_on(World::Lock& lock, Copies copies);
  [[noreturn]] void give_up(World::Lock& lock);

  std::shared_ptr<World> world_;
  std::optional<Clock::time_point> waiting_since_;
  Clock::time_point ready_ = {};
};

}  // namespace caesura::comm::in_process
