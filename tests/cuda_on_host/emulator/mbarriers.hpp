// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "block.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace caesura::cuda_on_host {

/// `mbarrier` objects: arrivals and bytes of phases (PTX 9.7.13.15).
class Mbarriers : public Hardware {
 public:
  explicit Mbarriers(Block& block) : block_(block) {}

  void init(std::uint32_t address, int arrivals);
  void fence_init();
  void invalidate(std::uint32_t address);
  void arrive(std::uint32_t address, std::int64_t expected_bytes, const char* what);
  void wait(std::uint32_t address, int parity);

  /// The running thread starts a copy that \p address will be told of: its agent. \throws Fault if that is no barrier.
  int agent_for_copy(std::uint32_t address, const char* what);
  /// \p bytes of a copy have come.
  void complete(std::uint32_t address, std::int64_t bytes);

  bool advance(std::mt19937_64&) override { return false; }
  std::string waits_for() const override;

 private:
  struct State {
    int agent = 0;
    int initializer = 0;
    bool is_fenced = false;  // by fence.mbarrier_init
    int arrivals = 0;        // of each phase
    int missing = 0;         // of this phase
    int waiting = 0;         // threads
    std::int64_t bytes = 0;  // expected that have not come; below zero if they came first
    std::uint64_t phase = 0;
    Clocks::Vector known;      // to those that arrived in this phase
    Clocks::Vector completed;  // to all of the last phase
    std::string name[2];       // of a wait for a parity
  };

  State& used(std::uint32_t address, const char* what);
  void complete_if_done(State& state);

  Block& block_;
  std::map<std::uint32_t, State> states_;
  int made_ = 0;
};

}  // namespace caesura::cuda_on_host
