// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "in_process/world.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace caesura::comm::in_process {

/// Ends a rank of the world when its last communicator is gone.
class RankLife {
 public:
  RankLife(std::shared_ptr<World> world, int rank) : world_(std::move(world)), rank_(rank) {}
  RankLife(const RankLife&) = delete;
  RankLife& operator=(const RankLife&) = delete;
  ~RankLife() { world_->end(rank_); }

  const std::shared_ptr<World>& world() const { return world_; }

 private:
  std::shared_ptr<World> world_;
  int rank_;
};

class InProcessTransport final : public impl::Transport {
 public:
  InProcessTransport(std::shared_ptr<RankLife> life, std::vector<int> ranks, int rank, int context);

  std::string_view name() const override { return "in-process"; }
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(ranks_.size()); }
  bool takes_device_memory() const override { return true; }
  bool options_agreed() const override { return true; }

  std::unique_ptr<impl::Transfer> prepare(std::string_view operation, std::vector<impl::Message> sends,
                                          std::vector<impl::Message> receives) override;
  std::shared_ptr<impl::Transport> split(int color, int key) override;

 private:
  std::shared_ptr<RankLife> life_;
  std::vector<int> ranks_;  // of the world
  int rank_;
  int context_;
  std::int64_t splits_ = 0;
};

}  // namespace caesura::comm::in_process
