// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "clocks.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace caesura::cuda_on_host {

/// The shared memory of a block, which knows for each four bytes who wrote and who read them last: reading what nobody
/// wrote, what a copy is still writing, or what another thread writes or wrote without a barrier between is a `Fault`.
class SharedMemory {
 public:
  /// Addresses begin here: those of kernels that forgot to add the window's base are outside.
  static constexpr std::uint32_t base = 1024;

  /// Agents are the threads, then mbarriers, whose copies write, then the tensor core of each warp, which reads.
  static constexpr int mbarrier_agents = 64;
  static int agents(int threads) { return threads + mbarrier_agents + threads / 32; }

  SharedMemory(std::int64_t bytes, int threads, const Clocks& clocks);

  /// Each access must be aligned to its size. \p agent does it, and \p what names it in a `Fault`.
  void read(int agent, std::uint32_t address, void* to, int bytes, const char* what);
  void write(int agent, std::uint32_t address, const void* from, int bytes, const char* what);
  /// A read for a whole warp: its threads, of which \p agent is one, all need to know what was written.
  void read_for_warp(int agent, std::uint32_t address, void* to, int bytes, const char* what);

  // What bulk copies and wgmma touch, in pieces of 16 bytes by their addresses. They reach memory by another way than
  // threads: what a thread wrote is there for them only behind its fence.
  using Pieces = std::vector<std::uint32_t>;

  /// Until `end_async_read` nobody may write the pieces. Threads [first, first + count) need to know what was written.
  void begin_async_read(int first, int count, const Pieces& pieces, const char* what);
  void end_async_read(const Pieces& pieces);
  /// \p agent has read the pieces; those that write them next need to know.
  void mark_read(int agent, const Pieces& pieces);
  /// Until `finish_async_write`, by an mbarrier's agent, nobody may touch the pieces.
  void begin_async_write(int thread, const Pieces& pieces, const char* what);
  void finish_async_write(int agent, const Pieces& pieces);
  const std::byte* at(std::uint32_t address) const { return bytes_.get() + (address - base); }

  /// Eight bytes become an mbarrier, which no other access may touch.
  void make_barrier(int agent, std::uint32_t address, const char* what);
  void end_barrier(int agent, std::uint32_t address, const char* what);
  /// Who initialized it. \throws Fault if nobody did as far as \p agent knows.
  Epoch check_barrier(int agent, std::uint32_t address, const char* what) const;

  /// An asynchronous copy into [address, address + bytes) begins: until it ends nobody may touch the bytes.
  void begin_copy(int agent, std::uint32_t address, int bytes, const char* what);
  /// The bytes arrive, at any time before the end.
  void land(std::uint32_t address, const void* from, int bytes);
  /// From now on the bytes are as if \p agent had just written them.
  void finish_copy(int agent, std::uint32_t address, int bytes);

 private:
  enum class State : std::uint8_t { unwritten, written, copying, barrier };
  static constexpr int cell_bytes = 4;  ///< the smallest write
  /// What is known of four bytes; all zeros at first.
  struct Cell {
    std::uint32_t time;  ///< of the last write
    std::uint16_t agent;
    State state;
    std::uint8_t async_reads;  ///< that go on
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  /// Zeros; pages that nothing touches cost nothing.
  template <class Value>
  using Zeros = std::unique_ptr<Value[], Free>;
  template <class Value>
  static Zeros<Value> zeros(std::size_t count) {
    return Zeros<Value>(static_cast<Value*>(std::calloc(count, sizeof(Value))));
  }
  struct Cells {
    std::size_t begin, end;
  };

  Cells cells_of(int agent, std::uint32_t address, int bytes, const char* what) const;
  std::uint32_t* reads_of(std::size_t cell) const { return reads_.get() + cell * groups_; }
  /// Readers are grouped by warps; tensor cores are groups of their own.
  std::size_t group_of(int agent) const {
    return static_cast<std::size_t>(agent < threads_ ? agent / 32 : agent - threads_ - mbarrier_agents + threads_ / 32);
  }
  int reader(std::size_t group, std::uint32_t read) const {
    const int index = static_cast<int>(group), warps = threads_ / 32;
    return index < warps ? 32 * index + static_cast<int>(read % 32) : threads_ + mbarrier_agents + index - warps;
  }
  void mark_read(int agent, std::size_t cell) {
    reads_of(cell)[group_of(agent)] = clocks_.now(agent).time << 5 | static_cast<std::uint32_t>(agent % 32);
  }
  void set_written(std::size_t cell, int agent);
  void check_readable(int agent, std::size_t cell, const char* what) const;
  void read_cells(int agent, Cells cells, const char* what);
  void check_write(int agent, std::size_t cell, const char* what) const;
  std::string name_of(int agent) const;
  [[noreturn]] void fail(int agent, std::int64_t offset, const char* what, const std::string& why) const;

  std::unique_ptr<std::byte[]> bytes_;  // its own allocation: AddressSanitizer guards both ends
  std::int64_t size_;
  int threads_;
  std::size_t groups_;  // of readers
  Zeros<Cell> cells_;
  Zeros<std::uint32_t> reads_;  // since the last write, the latest of each group: 32 time + agent % 32
  const Clocks& clocks_;
};

}  // namespace caesura::cuda_on_host
