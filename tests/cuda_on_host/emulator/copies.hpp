// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "block.hpp"

#include <cstdint>
#include <vector>

namespace caesura::cuda_on_host {

/// `cp.async`: copies by groups of each thread. Each arrives at a random moment between its start and the thread's wait.
class Copies : public Hardware {
 public:
  explicit Copies(Block& block);

  void begin(std::uint32_t to, const void* from, bool exists);
  void commit();
  void wait(int pending);
  bool advance(std::mt19937_64& random) override;

 private:
  static constexpr int bytes = 16;
  struct Copy {
    std::uint32_t to = 0;
    const void* from = nullptr;  ///< null: zeros
    std::int64_t group = 0;
    bool has_landed = false;
  };
  struct Thread {
    std::vector<Copy> copies;  ///< not waited for, oldest first
    std::int64_t group = 0;    ///< the one that is being filled
  };

  void land(Copy& copy);

  Block& block_;
  std::vector<Thread> threads_;
};

}  // namespace caesura::cuda_on_host
