// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/endpoint.hpp"
#include <caesura/comm/communicator.hpp>

#include <Kokkos_Core.hpp>

#include <utility>

namespace caesura::comm {

namespace impl {

void Endpoint::check(const Instance& instance, const Announcement& announcement) {
  if (!checks_on_ || size() == 1) return;
  if (!comparison_) comparison_ = std::make_unique<Comparison>(transport_);
  comparison_->announce(instance, announcement);
}

}  // namespace impl

Communicator::Communicator(std::shared_ptr<impl::Transport> transport) {
  const bool checks = impl::agree_on_checks(transport);
  endpoint_ = std::make_shared<impl::Endpoint>(std::move(transport), checks);
}

int Communicator::rank() const { return endpoint_->rank(); }
int Communicator::size() const { return endpoint_->size(); }
std::string_view Communicator::transport() const { return endpoint_->transport()->name(); }
const CommunicatorOptions& Communicator::options() const { return endpoint_->transport()->options(); }
bool Communicator::any_thread() const { return endpoint_->transport()->any_thread(); }
const std::shared_ptr<impl::Transport>& Communicator::impl_transport() const { return endpoint_->transport(); }

Communicator Communicator::split(int color, int key) const {
  endpoint_->check(Kokkos::DefaultExecutionSpace(), {.operation = "split"});
  auto transport = endpoint_->transport()->split(color, key);
  if (!transport) return Communicator(std::shared_ptr<impl::Endpoint>());
  return Communicator(std::make_shared<impl::Endpoint>(std::move(transport), endpoint_->checks_on()));
}

std::int64_t Communicator::memory_bytes() const { return endpoint_->memory_bytes(); }
std::int64_t Communicator::bytes_sent() const { return endpoint_->bytes_sent(); }
std::int64_t Communicator::bytes_received() const { return endpoint_->bytes_received(); }

}  // namespace caesura::comm
