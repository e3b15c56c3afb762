// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// The part of shared memory that bulk copies and wgmma use.

#include "fault.hpp"
#include "shared_memory.hpp"
#include <caesura/error.hpp>

#include <algorithm>

namespace caesura::cuda_on_host {

namespace {

constexpr int piece_bytes = 16;

}  // namespace

void SharedMemory::begin_async_read(int first, int count, const Pieces& pieces, const char* what) {
  // Knowing a writer's latest moment is knowing the earlier ones: one check for each writer, not for each cell.
  struct Latest {
    std::uint32_t time = 0;
    std::size_t cell = 0;
  };
  std::vector<Latest> latest(static_cast<std::size_t>(clocks_.agents()));
  for (const std::uint32_t piece : pieces) {
    const Cells cells = cells_of(first, piece, piece_bytes, what);
    for (std::size_t i = cells.begin; i < cells.end; ++i) {
      Cell& cell = cells_[i];
      if (cell.state != State::written) check_readable(first, i, what);
      ++cell.async_reads;
      Latest& of_writer = latest[cell.agent];
      if (of_writer.time < cell.time) of_writer = {cell.time, i};
    }
  }
  for (int writer = 0; writer < clocks_.agents(); ++writer) {
    const auto& [time, cell] = latest[static_cast<std::size_t>(writer)];
    if (time == 0) continue;
    const auto where = static_cast<std::int64_t>(cell) * cell_bytes;
    for (int thread = first; thread < first + count; ++thread) {
      if (!clocks_.knows(thread, {writer, time})) {
        fail(thread, where, what, text("reads what ", name_of(writer), " wrote, without a barrier between"));
      }
      if (writer < threads_ && !clocks_.knows_fence(thread, {writer, time})) {
        fail(thread, where, what,
             text("reads what thread ", writer, " wrote, without its fence.proxy.async before the barrier between"));
      }
    }
  }
}

void SharedMemory::end_async_read(const Pieces& pieces) {
  for (const std::uint32_t piece : pieces) {
    const std::size_t begin = (piece - base) / cell_bytes;
    for (std::size_t i = begin; i < begin + piece_bytes / cell_bytes; ++i) --cells_[i].async_reads;
  }
}

void SharedMemory::mark_read(int agent, const Pieces& pieces) {
  for (const std::uint32_t piece : pieces) {
    const std::size_t begin = (piece - base) / cell_bytes;
    for (std::size_t i = begin; i < begin + piece_bytes / cell_bytes; ++i) mark_read(agent, i);
  }
}

void SharedMemory::begin_async_write(int thread, const Pieces& pieces, const char* what) {
  for (const std::uint32_t piece : pieces) {
    const Cells cells = cells_of(thread, piece, piece_bytes, what);
    for (std::size_t i = cells.begin; i < cells.end; ++i) {
      check_write(thread, i, what);
      Cell& cell = cells_[i];
      const Epoch written = {cell.agent, cell.time};
      if (cell.state == State::written && cell.agent < threads_ && !clocks_.knows_fence(thread, written)) {
        fail(thread, static_cast<std::int64_t>(i) * cell_bytes, what,
             text("writes over what ", name_of(cell.agent),
                  " wrote, without its fence.proxy.async before the barrier between"));
      }
      cell.state = State::copying;
    }
  }
}

void SharedMemory::finish_async_write(int agent, const Pieces& pieces) {
  for (const std::uint32_t piece : pieces) finish_copy(agent, piece, piece_bytes);
}

}  // namespace caesura::cuda_on_host
