// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/exchange.hpp"

namespace caesura::comm::impl {

/// A View of one side: how it lies, and while an exchange is under way, the View itself.
struct BoundRows {
  RowLayout layout;
  Rows rows;
  std::byte* data = nullptr;
  std::int64_t element_bytes = 0;
  int rank = 0;
  bool on_host = true;
  std::array<std::int64_t, 8> extents = {}, strides = {};

  void bind(const Rows& view);
  bool same(const Rows& view) const;
};

/// What an exchange needs for one pair of Views.
struct Exchange::Binding {
  BoundRows send, receive;
  bool on_host = true;
  RowLayout packed_sends, packed_receives;  // in message memory
  CopyTable pack, own, unpack;
  std::vector<std::int64_t> send_bytes, receive_bytes;  // (size)
  std::int64_t sent = 0, received = 0;
  std::unique_ptr<Transfer> transfer;
  bool sends_own_copy = false;  ///< the message is read from where `own` copies to
};

}  // namespace caesura::comm::impl
