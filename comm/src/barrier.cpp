// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/endpoint.hpp"
#include <caesura/comm/communicator.hpp>

#include <Kokkos_Core.hpp>

#include <memory>
#include <utility>

namespace caesura::comm {
namespace impl {
namespace {

/// An all-gather of one byte.
class BarrierPlan final : public Plan {
 public:
  explicit BarrierPlan(std::shared_ptr<Transport> transport)
      : transport_(std::move(transport)), instance_(Kokkos::DefaultExecutionSpace()) {
    memory_.reserve(transport_->takes_host_memory() ? MemoryKind::host : MemoryKind::device, transport_->size());
    std::vector<Message> all;
    for (int rank = 0; rank < transport_->size(); ++rank) all.push_back({rank, memory_.data() + rank, 1});
    const Message own = all[static_cast<std::size_t>(transport_->rank())];
    transfer_ = transport_->prepare_all_gather("barrier", own, std::move(all));
  }

  void start() {
    transfer_->start(instance_);
    under_way_ = true;
  }
  bool test() override {
    if (under_way_ && !transfer_->test()) return false;
    finish();
    return true;
  }
  void wait() override {
    if (under_way_) transfer_->wait();
    finish();
  }
  bool under_way() const override { return under_way_; }
  std::int64_t memory_bytes() const override { return memory_.bytes(); }
  const Instance& instance() const { return instance_; }

 private:
  void finish() {
    if (std::exchange(under_way_, false) && transport_->stream_ordered()) instance_.fence("caesura::comm::barrier");
  }

  std::shared_ptr<Transport> transport_;
  Instance instance_;
  Memory memory_;
  std::unique_ptr<Transfer> transfer_;
  bool under_way_ = false;
};

}  // namespace
}  // namespace impl

Request barrier(const Communicator& communicator) {
  impl::Endpoint& endpoint = communicator.impl_endpoint();
  if (endpoint.size() == 1) return {};
  const auto plan = std::static_pointer_cast<impl::BarrierPlan>(endpoint.plan(
      {.operation = "barrier"},
      [&]() -> std::shared_ptr<impl::Plan> { return std::make_shared<impl::BarrierPlan>(endpoint.transport()); }));
  endpoint.check(plan->instance(), {.operation = "barrier"});
  plan->start();
  return Request(plan);
}

}  // namespace caesura::comm
