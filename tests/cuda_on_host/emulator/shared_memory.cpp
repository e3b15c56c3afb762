// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "shared_memory.hpp"

#include "fault.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <cstring>

namespace caesura::cuda_on_host {

SharedMemory::SharedMemory(std::int64_t bytes, int threads, const Clocks& clocks)
    : bytes_(new std::byte[static_cast<std::size_t>(bytes)]),
      size_(bytes),
      threads_(threads),
      groups_(2 * static_cast<std::size_t>(threads / 32)),
      cells_(zeros<Cell>(static_cast<std::size_t>(bytes / cell_bytes + 1))),
      reads_(zeros<std::uint32_t>(static_cast<std::size_t>(bytes / cell_bytes + 1) * groups_)),
      clocks_(clocks) {}

std::string SharedMemory::name_of(int agent) const {
  if (agent < threads_) return text("thread ", agent);
  if (agent < threads_ + mbarrier_agents) return "a bulk copy";
  return text("a wgmma of warp ", agent - threads_ - mbarrier_agents);
}

void SharedMemory::fail(int agent, std::int64_t offset, const char* what, const std::string& why) const {
  throw Fault(text(what, ", thread ", agent, ": shared byte ", offset, ": ", why));
}

SharedMemory::Cells SharedMemory::cells_of(int agent, std::uint32_t address, int bytes, const char* what) const {
  const std::int64_t offset = std::int64_t{address} - base;
  if (offset < 0 || offset + bytes > size_) {
    fail(agent, offset, what, text("out of bounds: ", bytes, " bytes there, the block has ", size_));
  }
  if (offset % bytes != 0) fail(agent, offset, what, text("must be a multiple of ", bytes));
  return {static_cast<std::size_t>(offset / cell_bytes),
          static_cast<std::size_t>((offset + bytes + cell_bytes - 1) / cell_bytes)};
}

void SharedMemory::check_readable(int agent, std::size_t index, const char* what) const {
  const auto where = static_cast<std::int64_t>(index) * cell_bytes;
  switch (cells_[index].state) {
    case State::unwritten: fail(agent, where, what, "reads what nobody wrote");
    case State::copying: fail(agent, where, what, "reads what a copy has not been waited for");
    case State::barrier: fail(agent, where, what, "reads an mbarrier");
    case State::written: return;
  }
}

void SharedMemory::read_cells(int agent, Cells cells, const char* what) {
  for (std::size_t i = cells.begin; i < cells.end; ++i) {
    const Cell& cell = cells_[i];
    if (cell.state != State::written) check_readable(agent, i, what);
    if (!clocks_.knows(agent, {cell.agent, cell.time})) {
      fail(agent, static_cast<std::int64_t>(i) * cell_bytes, what,
           text("reads what ", name_of(cell.agent), " wrote, without a barrier between"));
    }
    mark_read(agent, i);
  }
}

void SharedMemory::read(int agent, std::uint32_t address, void* to, int bytes, const char* what) {
  read_cells(agent, cells_of(agent, address, bytes, what), what);
  std::memcpy(to, bytes_.get() + (address - base), static_cast<std::size_t>(bytes));
}

void SharedMemory::read_for_warp(int agent, std::uint32_t address, void* to, int bytes, const char* what) {
  const Cells cells = cells_of(agent, address, bytes, what);
  read_cells(agent, cells, what);
  const Cell* last = nullptr;
  for (std::size_t i = cells.begin; i < cells.end; ++i) {
    const Cell& cell = cells_[i];
    if (last && last->agent == cell.agent && last->time == cell.time) continue;
    last = &cell;
    for (int lane = 0; lane < 32; ++lane) {
      const int thread = agent / 32 * 32 + lane;
      if (!clocks_.knows(thread, {cell.agent, cell.time})) {
        fail(thread, static_cast<std::int64_t>(i) * cell_bytes, what,
             text("reads what ", name_of(cell.agent), " wrote, without a barrier between"));
      }
    }
  }
  std::memcpy(to, bytes_.get() + (address - base), static_cast<std::size_t>(bytes));
}

void SharedMemory::check_write(int agent, std::size_t index, const char* what) const {
  const Cell& cell = cells_[index];
  const auto where = static_cast<std::int64_t>(index) * cell_bytes;
  if (cell.state == State::copying) fail(agent, where, what, "writes where a copy has not been waited for");
  if (cell.state == State::barrier) fail(agent, where, what, "writes over an mbarrier");
  if (cell.async_reads) fail(agent, where, what, "writes over what a bulk copy or wgmma reads that was not waited for");
  if (!clocks_.knows(agent, {cell.agent, cell.time})) {
    fail(agent, where, what, text("writes over what ", name_of(cell.agent), " wrote, without a barrier between"));
  }
  const std::uint32_t* const reads = reads_of(index);
  for (std::size_t group = 0; group < groups_; ++group) {
    if (reads[group] == 0) continue;
    const int read_by = reader(group, reads[group]);
    if (!clocks_.knows(agent, {read_by, reads[group] >> 5})) {
      fail(agent, where, what, text("writes over what ", name_of(read_by), " reads, without a barrier between"));
    }
  }
}

void SharedMemory::set_written(std::size_t index, int agent) {
  cells_[index] = {clocks_.now(agent).time, static_cast<std::uint16_t>(agent), State::written, 0};
  std::fill_n(reads_of(index), groups_, 0);
}

void SharedMemory::write(int agent, std::uint32_t address, const void* from, int bytes, const char* what) {
  const Cells cells = cells_of(agent, address, bytes, what);
  for (std::size_t i = cells.begin; i < cells.end; ++i) {
    check_write(agent, i, what);
    set_written(i, agent);
  }
  std::memcpy(bytes_.get() + (address - base), from, static_cast<std::size_t>(bytes));
}

void SharedMemory::begin_copy(int agent, std::uint32_t address, int bytes, const char* what) {
  const Cells cells = cells_of(agent, address, bytes, what);
  for (std::size_t i = cells.begin; i < cells.end; ++i) {
    check_write(agent, i, what);
    cells_[i].state = State::copying;
  }
}

void SharedMemory::land(std::uint32_t address, const void* from, int bytes) {
  std::memcpy(bytes_.get() + (address - base), from, static_cast<std::size_t>(bytes));
}

void SharedMemory::finish_copy(int agent, std::uint32_t address, int bytes) {
  const std::size_t begin = (address - base) / cell_bytes;
  for (std::size_t i = begin; i < begin + static_cast<std::size_t>(bytes / cell_bytes); ++i) set_written(i, agent);
}

void SharedMemory::make_barrier(int agent, std::uint32_t address, const char* what) {
  const Cells cells = cells_of(agent, address, 8, what);
  for (std::size_t i = cells.begin; i < cells.end; ++i) {
    check_write(agent, i, what);
    set_written(i, agent);
    cells_[i].state = State::barrier;
  }
}

void SharedMemory::end_barrier(int agent, std::uint32_t address, const char* what) {
  check_barrier(agent, address, what);
  const Cells cells = cells_of(agent, address, 8, what);
  for (std::size_t i = cells.begin; i < cells.end; ++i) {
    set_written(i, agent);
    cells_[i].state = State::unwritten;
  }
}

Epoch SharedMemory::check_barrier(int agent, std::uint32_t address, const char* what) const {
  const Cells cells = cells_of(agent, address, 8, what);
  const Cell& cell = cells_[cells.begin];
  const auto where = static_cast<std::int64_t>(cells.begin) * cell_bytes;
  if (cell.state != State::barrier) fail(agent, where, what, "is not an mbarrier");
  const Epoch result = {cell.agent, cell.time};
  if (!clocks_.knows(agent, result)) {
    fail(agent, where, what, text("an mbarrier that ", name_of(cell.agent), " made, without a barrier between"));
  }
  return result;
}

}  // namespace caesura::cuda_on_host
