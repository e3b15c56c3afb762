// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/memory.hpp"
#include "impl/transport.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace caesura::comm::impl {

/// What a rank is about to do.
struct Announcement {
  std::string_view operation;
  std::span<const std::int64_t> sends = {};     ///< (size) bytes for each rank; empty: none for any
  std::span<const std::int64_t> receives = {};  ///< (size) bytes from each rank
  std::int64_t row_bytes = 0;
};

/// Lets ranks compare what they announce, with small messages of its own.
class Comparison {
 public:
  explicit Comparison(std::shared_ptr<Transport> transport);

  /// \throws Error (communication), the same on all ranks, if two do not agree
  void announce(const Instance& instance, const Announcement& announcement);
  /// Whether any rank says so.
  bool any(const Instance& instance, bool mine);

 private:
  static constexpr std::int64_t slot_bytes = 512;

  std::byte* outgoing(int peer) { return host_outgoing_.data() + peer * slot_bytes; }
  const std::byte* incoming(int peer) const { return host_incoming_.data() + peer * slot_bytes; }
  void swap_slots(const Instance& instance, std::string_view operation);
  std::string difference(int peer, const Announcement& announcement) const;

  std::shared_ptr<Transport> transport_;
  std::int64_t sequence_ = 0;
  std::vector<std::byte> host_outgoing_, host_incoming_;
  Memory outgoing_, incoming_;
  std::map<std::string_view, std::unique_ptr<Transfer>> transfers_;  // by operation, for the texts of errors
};

/// Whether \p transport's ranks check: if one of them is to, all do. Collective unless the options are agreed.
bool agree_on_checks(const std::shared_ptr<Transport>& transport);

}  // namespace caesura::comm::impl
