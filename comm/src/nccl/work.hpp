// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace caesura::comm::impl {

/// What a call of NCCL was for, for the words of an error. NCCL does not say which peer is late or gone: all that take
/// part are named.
struct NcclWork {
  std::string_view operation;
  int rank = 0;
  std::vector<int> to;
  std::vector<int> from;
  std::int64_t bytes_sent = 0;
  std::int64_t bytes_received = 0;

  /// `all_gather: rank 0: 64 bytes to rank 1, 64 bytes from rank 1`.
  std::string text() const;
};

}  // namespace caesura::comm::impl
