// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/checks.hpp"

#include <caesura/error.hpp>

#include <algorithm>
#include <cstring>

namespace caesura::comm::impl {
namespace {

// What travels. Texts, so that a difference can be told in words.
struct Header {
  std::int64_t sequence;
  std::int64_t sends;     // to the rank that receives this header
  std::int64_t receives;  // from it
  std::int64_t row_bytes;
  char operation[64];
};

std::int64_t bytes_of(std::span<const std::int64_t> list, int peer) {
  return list.empty() ? 0 : list[static_cast<std::size_t>(peer)];
}

}  // namespace

Comparison::Comparison(std::shared_ptr<Transport> transport) : transport_(std::move(transport)) {
  const std::int64_t bytes = transport_->size() * slot_bytes;
  host_outgoing_.resize(static_cast<std::size_t>(bytes));
  host_incoming_.resize(static_cast<std::size_t>(bytes));
  const MemoryKind kind = transport_->takes_host_memory() ? MemoryKind::host : MemoryKind::device;
  outgoing_.reserve(kind, bytes);
  incoming_.reserve(kind, bytes);
}

void Comparison::swap_slots(const Instance& instance, std::string_view operation) {
  std::unique_ptr<Transfer>& transfer = transfers_[operation];
  if (!transfer) {
    std::vector<Message> sends, receives;
    for (int peer = 0; peer < transport_->size(); ++peer) {
      if (peer == transport_->rank()) continue;
      sends.push_back({peer, outgoing_.data() + peer * slot_bytes, slot_bytes});
      receives.push_back({peer, incoming_.data() + peer * slot_bytes, slot_bytes});
    }
    transfer = transport_->prepare(operation, std::move(sends), std::move(receives));
  }
  outgoing_.from_host(host_outgoing_.data(), outgoing_.bytes());
  transfer->start(instance);
  transfer->wait();
  if (transport_->stream_ordered()) instance.fence("caesura::comm::checks");
  incoming_.to_host(host_incoming_.data(), incoming_.bytes());
}

std::string Comparison::difference(int peer, const Announcement& mine) const {
  Header theirs;
  std::memcpy(&theirs, incoming(peer), sizeof(theirs));
  const int rank = transport_->rank();
  if (mine.operation != theirs.operation || sequence_ != theirs.sequence) {
    return text(mine.operation, ": rank ", rank, " calls ", mine.operation, " as operation ", sequence_, ", rank ",
                peer, " calls ", static_cast<const char*>(theirs.operation), " as operation ", theirs.sequence,
                ": all ranks must call the same operations in the same order");
  }
  const std::int64_t sends = bytes_of(mine.sends, peer), receives = bytes_of(mine.receives, peer);
  if (receives != theirs.sends) {
    return text(mine.operation, ": rank ", peer, " sends ", theirs.sends, " bytes to rank ", rank, ", which expects ",
                receives, ": they must be the same");
  }
  if (sends + receives > 0 && mine.row_bytes != theirs.row_bytes) {
    return text(mine.operation, ": rank ", rank, " has rows of ", mine.row_bytes, " bytes, rank ", peer, " of ",
                theirs.row_bytes, " bytes: they must be the same");
  }
  return {};
}

void Comparison::announce(const Instance& instance, const Announcement& announcement) {
  ++sequence_;
  Header header = {
      .sequence = sequence_, .sends = 0, .receives = 0, .row_bytes = announcement.row_bytes, .operation = {}};
  announcement.operation.copy(header.operation, sizeof(header.operation) - 1);
  for (int peer = 0; peer < transport_->size(); ++peer) {
    header.sends = bytes_of(announcement.sends, peer);
    header.receives = bytes_of(announcement.receives, peer);
    std::memcpy(outgoing(peer), &header, sizeof(header));
  }
  swap_slots(instance, announcement.operation);

  // The verdict of each rank goes to all, and all throw that of the lowest rank that has one.
  std::string verdict;
  for (int peer = 0; peer < transport_->size() && verdict.empty(); ++peer)
    if (peer != transport_->rank()) verdict = difference(peer, announcement);
  verdict.resize(slot_bytes, '\0');
  verdict.back() = '\0';
  for (int peer = 0; peer < transport_->size(); ++peer) std::memcpy(outgoing(peer), verdict.data(), slot_bytes);
  swap_slots(instance, announcement.operation);
  for (int peer = 0; peer < transport_->size(); ++peer) {
    const char* words = peer == transport_->rank() ? verdict.data() : reinterpret_cast<const char*>(incoming(peer));
    if (*words) throw Error(ErrorKind::communication, words);
  }
}

bool Comparison::any(const Instance& instance, bool mine) {
  for (int peer = 0; peer < transport_->size(); ++peer) *outgoing(peer) = std::byte{mine};
  swap_slots(instance, "Communicator");
  for (int peer = 0; peer < transport_->size(); ++peer)
    if (peer != transport_->rank() && *incoming(peer) != std::byte{0}) return true;
  return mine;
}

bool agree_on_checks(const std::shared_ptr<Transport>& transport) {
#ifdef NDEBUG
  constexpr bool by_default = false;
#else
  constexpr bool by_default = true;
#endif
  const Checks asked = transport->options().checks;
  const bool mine = asked == Checks::automatic ? by_default : asked == Checks::on;
  if (transport->options_agreed() || transport->size() == 1) return mine;
  return Comparison(transport).any(Kokkos::DefaultExecutionSpace(), mine);
}

}  // namespace caesura::comm::impl
