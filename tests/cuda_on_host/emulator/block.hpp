// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "clocks.hpp"
#include "fiber.hpp"
#include "shared_memory.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace caesura::cuda_on_host {

/// Hardware that works beside the threads of a block and may be late: asynchronous copies, wgmma. A block asks it now and
/// then, in random order, and always when no thread can go on.
class Hardware {
 public:
  virtual ~Hardware() = default;
  /// Does one piece of what is pending, chosen by \p random; false if that makes no thread ready.
  virtual bool advance(std::mt19937_64& random) = 0;
  /// All threads have ended. \throws Fault if they should have waited.
  virtual void finish() {}
  /// What it waits for, for the report that no thread can go on.
  virtual std::string waits_for() const { return ""; }
};

/// A thread block whose threads are fibers. Warps run in random order (by the seed); the lanes of a warp meet in
/// `collective`. A state in which no thread can go on is a `Fault` that says where each thread waits.
class Block {
 public:
  static constexpr int warp_size = 32;
  static constexpr int max_threads = 1024;

  Block(int index, int threads, std::int64_t shared_bytes, std::uint64_t seed);
  ~Block();

  /// Runs \p body in every thread to its end. \throws Fault
  void run(const std::function<void()>& body);

  /// The block of the running fiber.
  static Block& current() { return *current_; }

  int index() const { return index_; }
  int threads() const { return static_cast<int>(threads_.size()); }
  int thread() const { return running_; }
  SharedMemory& shared() { return shared_; }
  Clocks& clocks() { return clocks_; }
  int elected_lane() const { return elected_lane_; }

  /// The running thread goes on once `ready(state, value)`; \p what says what it waits for.
  using Ready = bool (*)(const void* state, std::uint64_t value);
  void wait(const char* what, Ready ready, const void* state, std::uint64_t value);

  enum class Meet { sync, arrive, any };
  /// The warp arrives at barrier \p id; behind `sync` and `any`, \p count threads have, and what they did before is known.
  /// `any` gives whether any thread's \p value was true.
  bool barrier(Meet how, int id, int count, bool value = false);

  /// Lanes of a warp meet, and know what they did before.
  void sync_warp();

  /// Meets the other lanes of the warp: the last one calls `combine(in, out)` on arrays of 32; each gets its `out`. An
  /// order of memory accesses does not follow from it.
  template <class Out, class In, class Combine>
  Out collective(const char* what, const In& mine, const Combine& combine) {
    static_assert(sizeof(In) <= slot_bytes && sizeof(Out) <= slot_bytes);
    Warp& warp = warps_[static_cast<std::size_t>(running_ / warp_size)];
    const int lane = running_ % warp_size;
    begin_collective(warp, what);
    std::memcpy(warp.in.data() + lane * sizeof(In), &mine, sizeof(In));
    if (++warp.arrived < warp_size) {
      wait(what, &differs, &warp.generation, warp.generation);
    } else {
      combine(reinterpret_cast<const In*>(warp.in.data()), reinterpret_cast<Out*>(warp.out.data()));
      warp.arrived = 0;
      ++warp.generation;
    }
    Out result;
    std::memcpy(&result, warp.out.data() + lane * sizeof(Out), sizeof(Out));
    return result;
  }

  /// The hardware of one kind, made when it is first asked for.
  template <class Kind>
  Kind& hardware() {
    static const std::size_t kind = kinds_++;
    if (kind >= hardware_.size()) hardware_.resize(kind + 1);
    if (!hardware_[kind]) hardware_[kind] = std::make_unique<Kind>(*this);
    return static_cast<Kind&>(*hardware_[kind]);
  }

 private:
  static constexpr std::size_t slot_bytes = 128;
  struct Warp {
    alignas(16) std::array<std::byte, warp_size * slot_bytes> in;
    alignas(16) std::array<std::byte, warp_size * slot_bytes> out;
    std::uint64_t generation = 0;
    int arrived = 0;
    int ended = -1;  // a thread that did
    int count = 0;   // of the barrier that it is about to arrive at
    bool value = false;
    const char* what = nullptr;
  };
  struct Thread {
    std::unique_ptr<Fiber> fiber;
    Ready ready = nullptr;
    const void* state = nullptr;
    std::uint64_t value = 0;
    const char* what = "";
    std::uint64_t releases = 0;  // from barriers
    bool result = false;         // of the last barrier
  };
  struct Barrier {
    int arrived = 0;
    int expected = 0;
    bool is_any = false;
    bool value = false;
    Clocks::Vector known;      // to those that arrived
    std::vector<int> waiting;  // warps
  };
  struct Abandoned {};

  static bool differs(const void* state, std::uint64_t value) {
    return *static_cast<const std::uint64_t*>(state) != value;
  }
  void thread_main(int index, const std::function<void()>& body);
  void begin_collective(Warp& warp, const char* what);
  void arrive(int warp, Barrier& barrier, Meet how, const char* what);
  void release_warp(int warp, bool result);
  bool run_some();
  bool run_all();
  bool run_warp(int warp);
  bool advance_hardware();
  void abandon();
  std::string where_threads_wait() const;

  inline static thread_local Block* current_ = nullptr;
  inline static std::size_t kinds_ = 0;

  int index_;
  int running_ = -1;
  int live_;
  bool abandoned_ = false;
  std::mt19937_64 random_;
  int elected_lane_;
  Clocks clocks_;
  SharedMemory shared_;
  std::vector<Warp> warps_;
  std::vector<int> order_;  // of warps
  std::vector<Thread> threads_;
  std::array<Barrier, 16> barriers_;
  std::vector<std::unique_ptr<Hardware>> hardware_;  // by kind
  std::string fault_;
};

}  // namespace caesura::cuda_on_host
