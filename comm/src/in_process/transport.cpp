// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "in_process/transport.hpp"

#include "in_process/transfer.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace caesura::comm::in_process {

InProcessTransport::InProcessTransport(std::shared_ptr<RankLife> life, std::vector<int> ranks, int rank, int context)
    : Transport(life->world()->options()),
      life_(std::move(life)),
      ranks_(std::move(ranks)),
      rank_(rank),
      context_(context) {}

std::unique_ptr<impl::Transfer> InProcessTransport::prepare(std::string_view operation,
                                                            std::vector<impl::Message> sends,
                                                            std::vector<impl::Message> receives) {
  return std::make_unique<InProcessTransfer>(life_->world(), ranks_, rank_, context_, operation, sends, receives);
}

std::shared_ptr<impl::Transport> InProcessTransport::split(int color, int key) {
  struct Member {
    int color, key;
  };
  std::vector<Member> members(ranks_.size());
  members[static_cast<std::size_t>(rank_)] = {color, key};
  std::vector<impl::Message> all;
  for (int rank = 0; rank < size(); ++rank)
    all.push_back({rank, reinterpret_cast<std::byte*>(&members[static_cast<std::size_t>(rank)]), sizeof(Member)});
  const impl::Message own = all[static_cast<std::size_t>(rank_)];
  const auto transfer = prepare_all_gather("split", own, std::move(all));
  transfer->start(Kokkos::DefaultHostExecutionSpace());
  transfer->wait();

  const std::int64_t number = splits_++;
  if (color < 0) return nullptr;
  std::vector<std::pair<int, int>> chosen;  // key, rank
  for (int rank = 0; rank < size(); ++rank) {
    const Member& member = members[static_cast<std::size_t>(rank)];
    if (member.color == color) chosen.emplace_back(member.key, rank);
  }
  std::sort(chosen.begin(), chosen.end());
  std::vector<int> ranks;
  int own_rank = 0;
  for (const auto& [order, rank] : chosen) {
    if (rank == rank_) own_rank = static_cast<int>(ranks.size());
    ranks.push_back(ranks_[static_cast<std::size_t>(rank)]);
  }
  return std::make_shared<InProcessTransport>(life_, std::move(ranks), own_rank,
                                              life_->world()->context(context_, number, color));
}

}  // namespace caesura::comm::in_process
