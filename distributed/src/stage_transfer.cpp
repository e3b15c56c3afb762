// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/stage_transfer.hpp"

#include <caesura/impl/upload.hpp>

#include <algorithm>

namespace caesura::impl {

namespace {

template <class Space>
std::vector<RowPairs<Space>> uploaded(const Space& space, const std::vector<Movement::Addition>& additions,
                                      std::int64_t& bytes) {
  std::vector<RowPairs<Space>> result;
  for (const Movement::Addition& addition : additions) {
    result.push_back({upload(space, addition.scratch, "caesura::distributed::scratch_rows"),
                      upload(space, addition.rows, "caesura::distributed::sum_rows")});
    bytes += static_cast<std::int64_t>(2 * sizeof(std::int32_t) * addition.rows.size());
  }
  return result;
}

}  // namespace

template <class Space>
StageTransfer<Space>::StageTransfer(const Space& space, const comm::Communicator& communicator,
                                    const LocalStage& stage) {
  std::size_t most = 0;
  for (const LocalHop& local : stage) {
    Hop& hop = hops_.emplace_back();
    for (const Movement& movement : local) {
      hop.push_back({movement.payload, comm::RowExchange(communicator, movement.rows),
                     uploaded(space, movement.additions, list_bytes_),
                     uploaded(space, movement.own_additions, list_bytes_)});
    }
    most = std::max(most, hop.size());
  }
  requests_.reserve(most);
}

template <class Space>
void StageTransfer<Space>::use(const TransferSpace& space, const StageBuffers<Space>& buffers, bool with_outputs) {
  space_ = space;
  buffers_ = buffers;
  with_outputs_ = with_outputs;
  at_ = 0;
  requests_.clear();  // of a run that failed
}

template <class Space>
void StageTransfer<Space>::start() {
  begin_ = end_ = Clock::now();
  if (!hops_.empty()) start_hop();
}

template <class Space>
void StageTransfer<Space>::finish() {
  if (hops_.empty()) return;
  while (true) {
    finish_hop();
    if (++at_ == hops_.size()) break;
    start_hop();
  }
  space_->fence("caesura::distributed::stage");
  end_ = Clock::now();
}

template <class Space>
void StageTransfer<Space>::start_hop() {
  for (PreparedMovement& movement : hops_[at_]) {
    if (movement.payload == solver::Payload::outputs && !with_outputs_) continue;
    const BufferPair<Space>& pair = buffers_[static_cast<std::size_t>(movement.payload)];
    movement.scratch = pair.receive;
    requests_.push_back(movement.exchange.start(*space_, pair.send->bytes(), pair.receive->bytes()));
  }
}

template <class Space>
void StageTransfer<Space>::finish_hop() {
  for (comm::Request& request : requests_) request.wait();
  requests_.clear();
  if (at_ + 1 == hops_.size()) return;
  for (const PreparedMovement& movement : hops_[at_]) {
    const BufferPair<Space>& pair = buffers_[static_cast<std::size_t>(movement.payload)];
    for (const RowPairs<Space>& pairs : movement.additions) {
      store_rows<TransferSpace>(*space_, {pairs.from, pairs.to}, movement.scratch->all(), pair.sum, Storing::add);
    }
  }
}

template <class Space>
std::int64_t StageTransfer<Space>::memory_bytes() const {
  std::int64_t result = list_bytes_;
  for (const Hop& hop : hops_) {
    for (const PreparedMovement& movement : hop) result += movement.exchange.memory_bytes();
  }
  return result;
}

#define CAESURA_INSTANTIATE(Space) template class StageTransfer<Space>;
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::impl
