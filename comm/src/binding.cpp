// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/binding.hpp"

#include <caesura/error.hpp>

#include <algorithm>
#include <numeric>

namespace caesura::comm::impl {
namespace {

constexpr std::size_t kept_bindings = 128;  // the layers of a model; packed ones all share their memory

/// Rows that one stream of blocks and another, equally long one have in common, piece by piece.
std::vector<RowPiece> match(const std::vector<RowBlock>& from, const std::vector<RowBlock>& to) {
  std::vector<RowPiece> pieces;
  std::size_t i = 0, j = 0;
  std::int64_t used_from = 0, used_to = 0;
  while (i < from.size() && j < to.size()) {
    const std::int64_t source = from[i].begin + used_from, target = to[j].begin + used_to;
    const std::int64_t rows = std::min(from[i].end - source, to[j].end - target);
    pieces.push_back({source, target, rows});
    used_from += rows;
    used_to += rows;
    if (source + rows == from[i].end) ++i, used_from = 0;
    if (target + rows == to[j].end) ++j, used_to = 0;
  }
  return pieces;
}

/// Whether the rows of \p peer are bytes that lie together in \p rows.
bool together(const RowLayout& layout, const PeerBlocks& peer) {
  return peer.blocks.size() == 1 && layout.row_together() && (layout.row_stride == layout.row_bytes || peer.rows == 1);
}

RowBlock packed_block(std::int64_t first, std::int64_t rows) { return {0, first, first + rows}; }

}  // namespace

void BoundRows::bind(const Rows& view) {
  layout = RowLayout::of(view);
  data = view.data();
  element_bytes = view.element_bytes();
  rank = view.rank();
  on_host = view.on_host();
  for (int i = 0; i < rank; ++i) {
    extents[static_cast<std::size_t>(i)] = view.extent(i);
    strides[static_cast<std::size_t>(i)] = view.stride(i);
  }
}

bool BoundRows::same(const Rows& view) const {
  if (data != view.data() || rank != view.rank() || element_bytes != view.element_bytes() || on_host != view.on_host())
    return false;
  for (int i = 0; i < rank; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (extents[at] != view.extent(i) || strides[at] != view.stride(i)) return false;
  }
  return true;
}

void Exchange::check_views(const Instance& instance, const Rows& send, const Rows& receive) const {
  const auto check = [&](const char* name, const Rows& rows, std::int64_t end) {
    require(end <= rows.rows(), [&] {
      return text(operation_, ": ", name, ".extent(0) = ", rows.rows(), ": its blocks reach to row ", end);
    });
    require(end == 0 || (instance.on_host() ? rows.on_host() : rows.on_device()), [&] {
      return text(operation_, ": ", name, ": memory = ", rows.on_host() ? "host" : "device", ": kernels of ",
                  instance.name(), " cannot reach it");
    });
  };
  check("send", send, sent_end_);
  check("receive", receive, received_end_);
  require(sent_end_ == 0 || received_end_ == 0 || send.row_bytes() == receive.row_bytes(), [&] {
    return text(operation_, ": bytes of a row of receive = ", receive.row_bytes(), ": send has ", send.row_bytes());
  });
  require(
      transport_->takes_host_memory() || !instance.on_host(),
      [&] {
        return text(operation_, ": space = ", instance.name(), ": ", transport_->name(),
                    " needs one with device memory");
      },
      ErrorKind::unsupported);
}

Exchange::Binding& Exchange::bind(const Instance& instance, const Rows& send, const Rows& receive) {
  const bool on_host = instance.on_host();
  const auto found = std::find_if(bindings_.begin(), bindings_.end(), [&](const auto& binding) {
    return binding->on_host == on_host && binding->send.same(send) &&
           (arrival_ == Arrival::gathered || binding->receive.same(receive));
  });
  if (found != bindings_.end()) {
    if (found != bindings_.begin()) std::rotate(bindings_.begin(), found, found + 1);
    return *bindings_.front();
  }

  check_views(instance, send, receive);
  if (bindings_.size() == kept_bindings) bindings_.pop_back();
  auto binding = std::make_unique<Binding>();
  binding->on_host = on_host;
  binding->send.bind(send);
  if (arrival_ == Arrival::in_place) binding->receive.bind(receive);
  // A rank without rows of its own may have any View there: the other side tells their size.
  if (sent_end_ == 0 && arrival_ == Arrival::in_place) binding->send.layout.row_bytes = receive.row_bytes();
  if (received_end_ == 0 && arrival_ == Arrival::in_place) binding->receive.layout.row_bytes = send.row_bytes();
  const std::int64_t row_bytes = binding->send.layout.row_bytes;

  const auto ranks = static_cast<std::size_t>(transport_->size());
  binding->send_bytes.resize(ranks);
  binding->receive_bytes.resize(ranks);
  for (const PeerBlocks& peer : sends_)
    binding->send_bytes[static_cast<std::size_t>(peer.peer)] = peer.rows * row_bytes;
  for (const PeerBlocks& peer : receives_)
    binding->receive_bytes[static_cast<std::size_t>(peer.peer)] = peer.rows * row_bytes;
  binding->sent = std::reduce(binding->send_bytes.begin(), binding->send_bytes.end());
  binding->received = std::reduce(binding->receive_bytes.begin(), binding->receive_bytes.end());

  if (arrival_ == Arrival::in_place) bind_own(*binding, instance);
  if (pattern_ == Pattern::everybody && transport_->size() > 1 && row_bytes > 0 && arriving_rows_ > 0) {
    bind_everybody(*binding, instance, receive);
  } else if (arrival_ == Arrival::gathered || binding->sent + binding->received > 0) {
    std::vector<Message> messages, from;
    bind_sends(*binding, instance, send, messages);
    bind_receives(*binding, instance, receive, from);
    if (binding->sent + binding->received > 0)
      binding->transfer = transport_->prepare(operation_, std::move(messages), std::move(from));
  }
  bindings_.insert(bindings_.begin(), std::move(binding));
  return *bindings_.front();
}

void Exchange::reserve(Memory& memory, const Instance& instance, std::int64_t bytes) {
  if (bytes > 0 && memory.reserve(message_memory(instance, *transport_), bytes)) bindings_.clear();
}

void Exchange::bind_own(Binding& binding, const Instance& instance) const {
  const RowLayout &from = binding.send.layout, &to = binding.receive.layout;
  std::vector<RowPiece> pieces = match(own_sends_.blocks, own_receives_.blocks);
  std::erase_if(pieces, [&](const RowPiece& piece) {  // they may be there already: an all-gather in place
    return from.data + piece.source * from.row_stride == to.data + piece.target * to.row_stride &&
           (from.row_stride == to.row_stride || piece.rows == 1) && from.run == to.run && from.outer == to.outer &&
           std::equal(from.strides, from.strides + from.outer, to.strides);
  });
  binding.own = CopyTable(instance, pieces, from.row_bytes);
}

void Exchange::bind_sends(Binding& binding, const Instance& instance, const Rows& send,
                          std::vector<Message>& messages) {
  const RowLayout& layout = binding.send.layout;
  const bool carried = carries(*transport_, send);
  std::vector<RowPiece> pieces;
  std::vector<std::int64_t> first(sends_.size(), -1);
  std::int64_t packed = 0;
  for (std::size_t i = 0; i < sends_.size(); ++i) {
    if (carried && together(layout, sends_[i])) continue;
    // Ranks that get the same rows get the same message.
    const auto end = sends_.begin() + static_cast<std::ptrdiff_t>(i);
    const auto twin = std::find_if(sends_.begin(), end, [&](const PeerBlocks& other) {
      return std::ranges::equal(other.blocks, sends_[i].blocks, [](const RowBlock& a, const RowBlock& b) {
        return a.begin == b.begin && a.end == b.end;
      });
    });
    if (twin != end) {
      first[i] = first[static_cast<std::size_t>(twin - sends_.begin())];
      continue;
    }
    first[i] = packed;
    for (const RowPiece& piece : match(sends_[i].blocks, {packed_block(packed, sends_[i].rows)}))
      pieces.push_back(piece);
    packed += sends_[i].rows;
  }
  reserve(send_memory_, instance, packed * layout.row_bytes);
  binding.packed_sends = RowLayout::packed(send_memory_.data(), layout.row_bytes);
  binding.pack = CopyTable(instance, pieces, layout.row_bytes);
  for (std::size_t i = 0; i < sends_.size() && layout.row_bytes > 0; ++i) {
    std::byte* data = first[i] < 0 ? layout.data + sends_[i].blocks.front().begin * layout.row_stride
                                   : send_memory_.data() + first[i] * layout.row_bytes;
    messages.push_back({sends_[i].peer, data, sends_[i].rows * layout.row_bytes});
  }
}

void Exchange::bind_receives(Binding& binding, const Instance& instance, const Rows& receive,
                             std::vector<Message>& messages) {
  const RowLayout& layout = binding.receive.layout;
  const std::int64_t row_bytes = binding.send.layout.row_bytes;
  const bool in_place = arrival_ == Arrival::in_place;
  const bool carried = in_place && carries(*transport_, receive);
  std::vector<RowPiece> pieces;
  std::vector<std::int64_t> first(receives_.size(), -1);
  std::int64_t packed = in_place ? 0 : arriving_rows_;
  for (std::size_t i = 0; i < receives_.size(); ++i) {
    if (!in_place) {
      first[i] = first_arrived(receives_[i].peer);
    } else if (!carried || !together(layout, receives_[i])) {
      first[i] = packed;
      for (const RowPiece& piece : match({packed_block(packed, receives_[i].rows)}, receives_[i].blocks))
        pieces.push_back(piece);
      packed += receives_[i].rows;
    }
  }
  reserve(receive_memory_, instance, packed * row_bytes);
  binding.packed_receives = RowLayout::packed(receive_memory_.data(), row_bytes);
  binding.unpack = CopyTable(instance, pieces, row_bytes);
  for (std::size_t i = 0; i < receives_.size() && row_bytes > 0; ++i) {
    std::byte* data = first[i] < 0 ? layout.data + receives_[i].blocks.front().begin * layout.row_stride
                                   : receive_memory_.data() + first[i] * row_bytes;
    messages.push_back({receives_[i].peer, data, receives_[i].rows * row_bytes});
  }
}

void Exchange::bind_everybody(Binding& binding, const Instance& instance, const Rows& receive) {
  const RowLayout& layout = binding.receive.layout;
  const std::int64_t row_bytes = binding.send.layout.row_bytes;
  const int rank = transport_->rank();
  const bool in_place = arrival_ == Arrival::in_place;
  std::vector<Message> all(static_cast<std::size_t>(transport_->size()));
  const bool direct = in_place && layout.all_together() && carries(*transport_, receive);
  if (!direct) reserve(receive_memory_, instance, arriving_rows_ * row_bytes);

  std::vector<RowPiece> unpack;
  const auto place = [&](const PeerBlocks& peer) {
    if (peer.rows == 0) return;
    const std::int64_t first = first_arrived(peer.peer);
    std::byte* data =
        direct ? layout.data + peer.blocks.front().begin * row_bytes : receive_memory_.data() + first * row_bytes;
    all[static_cast<std::size_t>(peer.peer)] = {peer.peer, data, peer.rows * row_bytes};
    if (!direct && in_place && peer.peer != rank)
      for (const RowPiece& piece : match({packed_block(first, peer.rows)}, peer.blocks)) unpack.push_back(piece);
  };
  for (int peer = 0; peer < transport_->size(); ++peer) all[static_cast<std::size_t>(peer)].peer = peer;
  for (const PeerBlocks& peer : receives_) place(peer);
  place(own_receives_);
  if (!direct) {
    binding.packed_sends = binding.packed_receives = RowLayout::packed(receive_memory_.data(), row_bytes);
    binding.unpack = CopyTable(instance, unpack, row_bytes);
    const RowBlock own = packed_block(first_arrived(rank), own_receives_.rows);
    binding.pack = CopyTable(instance, match(own_sends_.blocks, {own}), row_bytes);
  }
  Message own = all[static_cast<std::size_t>(rank)];
  // From where the rows lie, if they lie together: the copy has only just been written, and to read it from another
  // core's cache took twice the time (64 KB a rank, 2 ranks, Open MPI).
  const RowLayout& from = binding.send.layout;
  if (direct && own.bytes > 0 && binding.send.on_host == binding.receive.on_host && together(from, own_sends_))
    own.data = from.data + own_sends_.blocks.front().begin * from.row_stride;
  else
    binding.sends_own_copy = direct;
  binding.transfer = transport_->prepare_all_gather(operation_, own, std::move(all));
}

}  // namespace caesura::comm::impl
