// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "mbarriers.hpp"

#include "fault.hpp"
#include <caesura/error.hpp>

namespace caesura::cuda_on_host {

namespace {

constexpr std::int64_t most_bytes = (1 << 20) - 1;
constexpr int most_arrivals = (1 << 20) - 1;

std::int64_t offset_of(std::uint32_t address) { return std::int64_t{address} - SharedMemory::base; }

}  // namespace

void Mbarriers::init(std::uint32_t address, int arrivals) {
  const int thread = block_.thread();
  if (arrivals < 1 || arrivals > most_arrivals) {
    throw Fault(text("mbarrier.init, thread ", thread, ": arrivals = ", arrivals, ": must be 1 to ", most_arrivals));
  }
  block_.shared().make_barrier(thread, address, "mbarrier.init");
  State state;
  state.agent = block_.threads() + made_++ % SharedMemory::mbarrier_agents;
  state.initializer = thread;
  state.arrivals = state.missing = arrivals;
  state.known = state.completed = block_.clocks().nothing();
  for (int parity = 0; parity < 2; ++parity) {
    state.name[parity] = text("mbarrier.try_wait at shared byte ", offset_of(address), ", parity ", parity);
  }
  states_[address] = std::move(state);
}

void Mbarriers::fence_init() {
  for (auto& [address, state] : states_) state.is_fenced |= state.initializer == block_.thread();
}

void Mbarriers::invalidate(std::uint32_t address) {
  if (used(address, "mbarrier.inval").waiting > 0) {
    throw Fault(text("mbarrier.inval, thread ", block_.thread(), ": mbarrier at shared byte ", offset_of(address),
                     ": others wait for it"));
  }
  block_.shared().end_barrier(block_.thread(), address, "mbarrier.inval");
  states_.erase(address);
}

Mbarriers::State& Mbarriers::used(std::uint32_t address, const char* what) {
  block_.shared().check_barrier(block_.thread(), address, what);
  return states_.at(address);
}

void Mbarriers::arrive(std::uint32_t address, std::int64_t expected_bytes, const char* what) {
  State& state = used(address, what);
  if (state.missing == 0) {
    throw Fault(text(what, ", thread ", block_.thread(), ": mbarrier at shared byte ", offset_of(address),
                     ": more arrivals than the phase's ", state.arrivals));
  }
  if (expected_bytes < 0 || state.bytes + expected_bytes > most_bytes) {
    throw Fault(
        text(what, ", thread ", block_.thread(), ": bytes = ", expected_bytes, ": a phase has at most ", most_bytes));
  }
  block_.clocks().release(block_.thread(), state.known);
  state.bytes += expected_bytes;
  --state.missing;
  complete_if_done(state);
}

void Mbarriers::complete(std::uint32_t address, std::int64_t bytes) {
  const auto found = states_.find(address);
  if (found == states_.end())
    throw Fault(text("a bulk copy's mbarrier at shared byte ", offset_of(address), " is gone"));
  State& state = found->second;
  state.bytes -= bytes;
  complete_if_done(state);
}

void Mbarriers::complete_if_done(State& state) {
  if (state.missing > 0 || state.bytes > 0) return;
  if (state.bytes < 0) {
    throw Fault(text("mbarrier: ", -state.bytes, " bytes more have come than its phase ", state.phase, " expects"));
  }
  block_.clocks().release(state.agent, state.known);
  state.completed = state.known;
  state.known = block_.clocks().nothing();
  state.missing = state.arrivals;
  ++state.phase;
}

void Mbarriers::wait(std::uint32_t address, int parity) {
  State& state = used(address, "mbarrier.try_wait");
  if (parity != 0 && parity != 1) {
    throw Fault(text("mbarrier.try_wait, thread ", block_.thread(), ": parity = ", parity, ": must be 0 or 1"));
  }
  const Block::Ready is_complete = [](const void* phase, std::uint64_t wanted) {
    return *static_cast<const std::uint64_t*>(phase) % 2 != wanted;
  };
  ++state.waiting;
  block_.wait(state.name[parity].c_str(), is_complete, &state.phase, static_cast<std::uint64_t>(parity));
  --state.waiting;
  block_.clocks().acquire(block_.thread(), state.completed);
}

int Mbarriers::agent_for_copy(std::uint32_t address, const char* what) {
  const State& state = used(address, what);
  const Epoch made = block_.shared().check_barrier(block_.thread(), address, what);
  if (!state.is_fenced && !block_.clocks().knows_fence(block_.thread(), made)) {
    throw Fault(text(what, ", thread ", block_.thread(), ": mbarrier at shared byte ", offset_of(address), ": thread ",
                     state.initializer, " made it without a fence.mbarrier_init or fence.proxy.async"));
  }
  return state.agent;
}

std::string Mbarriers::waits_for() const {
  std::string result;
  for (const auto& [address, state] : states_) {
    result += text("; mbarrier at shared byte ", offset_of(address), ", phase ", state.phase, ": ", state.missing,
                   " arrivals and ", state.bytes, " bytes missing");
  }
  return result;
}

}  // namespace caesura::cuda_on_host
