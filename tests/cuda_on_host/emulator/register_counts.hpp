// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "block.hpp"

#include <cstdint>
#include <vector>

namespace caesura::cuda_on_host {

/// `setmaxnreg`: how many registers the threads of each warp have, out of those of a processor.
class RegisterCounts : public Hardware {
 public:
  explicit RegisterCounts(Block& block);

  void shrink(int registers);
  void grow(int registers);

  bool advance(std::mt19937_64&) override { return false; }
  void finish() override;

 private:
  static constexpr int all = 65536;
  /// All warps of a warpgroup must say the same.
  void begin(int registers, const char* what);

  Block& block_;
  std::vector<std::vector<int>> said_;  // by warp, in order
  std::vector<int> registers_;          // by warp, of each thread
  struct Request {
    const std::int64_t* free = nullptr;
    std::int64_t wanted = 0;
    bool is_granted = false;
  };
  std::vector<Request> requests_;  // by warp
  std::int64_t free_;
};

}  // namespace caesura::cuda_on_host
