// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/exchange.hpp"

#include "impl/binding.hpp"
#include "impl/endpoint.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <utility>

namespace caesura::comm::impl {
namespace {

/// Sorts blocks by rank, keeping their order; empty ones go.
std::vector<PeerBlocks> by_peer(const Transport& transport, std::string_view operation, const char* list,
                                const std::vector<RowBlock>& blocks) {
  std::vector<PeerBlocks> all(static_cast<std::size_t>(transport.size()));
  for (const RowBlock& block : blocks) {
    require(block.peer >= 0 && block.peer < transport.size(), [&] {
      return text(operation, ": ", list, ": peer = ", block.peer, ": there are ", transport.size(), " ranks");
    });
    require(block.begin >= 0 && block.begin <= block.end, [&] {
      return text(operation, ": ", list, ": rows = [", block.begin, ", ", block.end,
                  "): must begin at 0 or later and not end before they begin");
    });
    if (block.begin == block.end) continue;
    PeerBlocks& peer = all[static_cast<std::size_t>(block.peer)];
    peer.rows += block.end - block.begin;
    if (!peer.blocks.empty() && peer.blocks.back().end == block.begin) {
      peer.blocks.back().end = block.end;
    } else {
      peer.blocks.push_back(block);
    }
  }
  for (std::size_t peer = 0; peer < all.size(); ++peer) all[peer].peer = static_cast<int>(peer);
  return all;
}

std::int64_t end_of(const std::vector<RowBlock>& blocks) {
  std::int64_t end = 0;
  for (const RowBlock& block : blocks) end = std::max(end, block.end);
  return end;
}

}  // namespace

Exchange::Exchange(std::shared_ptr<Transport> transport, std::string_view operation, const std::vector<RowBlock>& sends,
                   const std::vector<RowBlock>& receives, Arrival arrival, Pattern pattern)
    : transport_(std::move(transport)),
      operation_(operation),
      arrival_(arrival),
      pattern_(pattern),
      sends_(by_peer(*transport_, operation, "sends", sends)),
      receives_(by_peer(*transport_, operation, "receives", receives)),
      sent_end_(end_of(sends)),
      received_end_(arrival == Arrival::in_place ? end_of(receives) : 0) {
  const auto own = sends_.begin() + transport_->rank();
  const auto own_received = receives_.begin() + transport_->rank();
  require(own->rows == own_received->rows, [&] {
    return text(operation, ": receives: rows of the own rank = ", own_received->rows, ": it sends itself ", own->rows);
  });
  for (const PeerBlocks& peer : receives_) {
    first_arrived_.push_back(arriving_rows_);
    if (peer.peer != transport_->rank() || pattern == Pattern::everybody) arriving_rows_ += peer.rows;
  }
  own_sends_ = std::move(*own);
  own_receives_ = std::move(*own_received);
  sends_.erase(own);
  receives_.erase(own_received);
  std::erase_if(sends_, [](const PeerBlocks& peer) { return peer.rows == 0; });
  std::erase_if(receives_, [](const PeerBlocks& peer) { return peer.rows == 0; });
}

Exchange::~Exchange() { release(); }

bool Exchange::start(Endpoint& endpoint, const Instance& instance, const Rows& send, const Rows& receive) {
  require(!under_way(), [&] {
    return text(operation_, ": start = again: the last start of this object is still under way, wait for it first");
  });
  Binding& binding = bind(instance, send, receive);
  if (endpoint.checks_on()) {
    endpoint.check(instance, {operation_, binding.send_bytes, binding.receive_bytes, binding.send.layout.row_bytes});
  }
  // Whoever used the message memory last on another queue may not have read it yet.
  if (instance_ && !(*instance_ == instance)) instance_->fence("caesura::comm::another_instance");
  instance_ = instance;
  current_ = &binding;
  binding.send.rows = send;
  if (arrival_ == Arrival::in_place) binding.receive.rows = receive;
  try {
    static const std::string pack = "caesura::comm::pack", own = "caesura::comm::copy";
    copy_rows(instance, pack, binding.send.layout, binding.packed_sends, binding.pack);
    const auto copy_own = [&] { copy_rows(instance, own, binding.send.layout, binding.receive.layout, binding.own); };
    if (binding.sends_own_copy) copy_own();
    if (binding.transfer) {
      if (!transport_->stream_ordered()) instance.fence("caesura::comm::send");
      binding.transfer->start(instance);
    }
    if (!binding.sends_own_copy) copy_own();  // while the messages are on their way
  } catch (...) {
    give_up();
    throw;
  }
  endpoint.count(binding.sent, binding.received);
  if (binding.transfer) return true;
  finish();
  return false;
}

bool Exchange::test() {
  if (!current_) return true;
  try {
    if (!current_->transfer->test()) return false;
  } catch (...) {
    give_up();
    throw;
  }
  finish();
  return true;
}

void Exchange::wait() {
  if (!current_) return;
  try {
    current_->transfer->wait();
  } catch (...) {
    give_up();
    throw;
  }
  finish();
}

void Exchange::finish() {
  static const std::string unpack = "caesura::comm::unpack";
  copy_rows(*instance_, unpack, current_->packed_receives, current_->receive.layout, current_->unpack);
  current_->send.rows = Rows();
  current_->receive.rows = Rows();
  current_ = nullptr;
}

void Exchange::give_up() {
  current_ = nullptr;
  release();
}

void Exchange::release() {
  bool stays = false;
  for (auto& binding : bindings_) {
    if (!binding->transfer || binding->transfer->release()) continue;
    stays = true;
    static_cast<void>(binding.release());  // with the Views that it keeps
  }
  bindings_.clear();  // waits until nobody touches the Views any more
  if (!stays) return;
  for (Memory* memory : {&send_memory_, &receive_memory_}) static_cast<void>(new Memory(std::move(*memory)));
}

std::int64_t Exchange::memory_bytes() const {
  std::int64_t bytes = send_memory_.bytes() + receive_memory_.bytes();
  for (const auto& binding : bindings_) bytes += binding->pack.bytes() + binding->own.bytes() + binding->unpack.bytes();
  return bytes;
}

}  // namespace caesura::comm::impl
