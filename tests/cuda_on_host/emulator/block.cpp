// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "block.hpp"

#include "fault.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <numeric>

namespace caesura::cuda_on_host {

namespace {

/// What a thread at a barrier waits for, in the words of PTX.
const char* name_of(Block::Meet how, int id) {
  static const auto names = [] {
    std::array<std::array<std::string, 16>, 3> result;
    for (std::size_t i = 0; i < 16; ++i) {
      result[0][i] = text("bar.sync ", i);
      result[1][i] = text("bar.arrive ", i);
      result[2][i] = text("bar.red.or ", i);
    }
    return result;
  }();
  return names[static_cast<std::size_t>(how)][static_cast<std::size_t>(id)].c_str();
}

}  // namespace

Block::Block(int index, int threads, std::int64_t shared_bytes, std::uint64_t seed)
    : index_(index),
      live_(threads),
      random_(seed),
      elected_lane_(static_cast<int>(random_() % warp_size)),
      clocks_(SharedMemory::agents(threads)),
      shared_(shared_bytes, threads, clocks_),
      warps_(static_cast<std::size_t>(threads / warp_size)),
      order_(warps_.size()),
      threads_(static_cast<std::size_t>(threads)) {
  require(threads > 0 && threads % warp_size == 0 && threads <= max_threads, [&] {
    return text("Block: threads = ", threads, ": must be whole warps, at most ", max_threads, " threads");
  });
  std::iota(order_.begin(), order_.end(), 0);
}

Block::~Block() = default;

void Block::run(const std::function<void()>& body) {
  Block* const outer = current_;
  current_ = this;
  for (int i = 0; i < threads(); ++i) {
    threads_[static_cast<std::size_t>(i)].fiber = std::make_unique<Fiber>([this, i, &body] { thread_main(i, body); });
  }
  while (fault_.empty() && live_ > 0) {
    bool moved = run_some();
    if (random_() % 4 == 0) moved |= advance_hardware();
    if (!moved && !run_all() && !advance_hardware() && fault_.empty()) {
      fault_ = "no thread can go on: " + where_threads_wait();
    }
  }
  try {
    for (const auto& unit : hardware_) {
      if (unit && fault_.empty()) unit->finish();
    }
  } catch (const Fault& fault) {
    fault_ = fault.what();
  }
  abandon();
  current_ = outer;
  if (!fault_.empty()) throw Fault(text("block ", index_, ": ", fault_));
}

void Block::thread_main(int index, const std::function<void()>& body) {
  if (abandoned_) return;
  try {
    body();
    Warp& warp = warps_[static_cast<std::size_t>(index / warp_size)];
    warp.ended = index;
    --live_;
    if (warp.arrived > 0) {
      throw Fault(text("thread ", index, " ended where other lanes of its warp are at ", warp.what));
    }
  } catch (const Abandoned&) {
  } catch (const std::exception& error) {
    if (fault_.empty()) fault_ = error.what();
  }
}

bool Block::run_some() {
  bool moved = false;
  if (random_() % 4 == 0) {  // one warp runs ahead of the others
    const int warp = static_cast<int>(random_() % warps_.size());
    for (int step = 0; step < 64 && run_warp(warp); ++step) moved = true;
    return moved;
  }
  std::shuffle(order_.begin(), order_.end(), random_);
  for (const int warp : order_) {
    if (random_() % 2 == 0) moved |= run_warp(warp);
  }
  return moved;
}

bool Block::run_all() {
  bool moved = false;
  for (const int warp : order_) moved |= run_warp(warp);
  return moved;
}

bool Block::run_warp(int warp) {
  bool moved = false;
  const int first = static_cast<int>(random_() % warp_size);
  for (int i = 0; i < warp_size && fault_.empty(); ++i) {
    const int index = warp * warp_size + (first + i) % warp_size;
    Thread& thread = threads_[static_cast<std::size_t>(index)];
    if (thread.fiber->is_done()) continue;
    if (thread.ready && !thread.ready(thread.state, thread.value)) continue;
    thread.ready = nullptr;
    running_ = index;
    thread.fiber->resume();
    moved = true;
  }
  return moved;
}

bool Block::advance_hardware() {
  if (hardware_.empty() || !fault_.empty()) return false;
  try {
    const std::size_t first = random_() % hardware_.size();
    for (std::size_t i = 0; i < hardware_.size(); ++i) {
      const auto& unit = hardware_[(first + i) % hardware_.size()];
      if (unit && unit->advance(random_)) return true;
    }
  } catch (const Fault& fault) {
    if (fault_.empty()) fault_ = fault.what();
  }
  return false;
}

void Block::abandon() {
  abandoned_ = true;
  for (int i = 0; i < threads(); ++i) {
    Thread& thread = threads_[static_cast<std::size_t>(i)];
    running_ = i;
    while (!thread.fiber->is_done()) thread.fiber->resume();
  }
}

void Block::wait(const char* what, Ready ready, const void* state, std::uint64_t value) {
  if (abandoned_) throw Abandoned();
  if (ready(state, value)) return;
  Thread& thread = threads_[static_cast<std::size_t>(running_)];
  thread.what = what;
  thread.state = state;
  thread.value = value;
  thread.ready = ready;
  thread.fiber->pause();
  if (abandoned_) throw Abandoned();
}

void Block::begin_collective(Warp& warp, const char* what) {
  if (abandoned_) throw Abandoned();
  if (warp.ended >= 0) {
    throw Fault(text("thread ", running_, " is at ", what, " where thread ", warp.ended, " of its warp has ended"));
  }
  if (warp.arrived == 0) {
    warp.what = what;
  } else if (warp.what != what && std::strcmp(warp.what, what) != 0) {
    throw Fault(text("thread ", running_, " is at ", what, " where other lanes of its warp are at ", warp.what));
  }
}

bool Block::barrier(Meet how, int id, int count, bool value) {
  if (id < 0 || id >= static_cast<int>(barriers_.size())) {
    throw Fault(text("thread ", running_, ": barrier = ", id, ": must be 0 to 15"));
  }
  const char* const what = name_of(how, id);
  if (count <= 0 || count % warp_size != 0 || count > threads()) {
    throw Fault(text(what, ", thread ", running_, ": threads = ", count, ": must be whole warps of the block's ",
                     threads(), " threads"));
  }
  const int index = running_ / warp_size;
  Warp& warp = warps_[static_cast<std::size_t>(index)];
  begin_collective(warp, what);
  if (warp.arrived == 0) {
    warp.count = count;
    warp.value = false;
  } else if (warp.count != count) {
    throw Fault(
        text(what, ", thread ", running_, ": waits for ", count, " threads, other lanes of its warp for ", warp.count));
  }
  warp.value |= value;
  Thread& thread = threads_[static_cast<std::size_t>(running_)];
  const std::uint64_t releases = thread.releases;
  if (++warp.arrived == warp_size) {
    warp.arrived = 0;
    arrive(index, barriers_[static_cast<std::size_t>(id)], how, what);
  }
  wait(what, &differs, &thread.releases, releases);
  return thread.result;
}

void Block::arrive(int index, Barrier& barrier, Meet how, const char* what) {
  const Warp& warp = warps_[static_cast<std::size_t>(index)];
  if (barrier.arrived == 0) {
    barrier.expected = warp.count;
    barrier.is_any = how == Meet::any;
    barrier.value = false;
    barrier.known = clocks_.nothing();
  } else if (barrier.expected != warp.count) {
    throw Fault(
        text(what, ", warp ", index, ": waits for ", warp.count, " threads, others there for ", barrier.expected));
  } else if (barrier.is_any != (how == Meet::any)) {
    throw Fault(text(what, ", warp ", index, ": others there do not do the same"));
  }
  barrier.value |= warp.value;
  for (int i = 0; i < warp_size; ++i) clocks_.release(index * warp_size + i, barrier.known);
  if (how == Meet::arrive) {
    release_warp(index, false);
  } else {
    barrier.waiting.push_back(index);
  }
  barrier.arrived += warp_size;
  if (barrier.arrived < barrier.expected) return;
  for (const int waiting : barrier.waiting) {
    for (int i = 0; i < warp_size; ++i) clocks_.acquire(waiting * warp_size + i, barrier.known);
    release_warp(waiting, barrier.value);
  }
  barrier.waiting.clear();
  barrier.arrived = 0;
}

void Block::release_warp(int warp, bool result) {
  for (int i = 0; i < warp_size; ++i) {
    const int index = warp * warp_size + i;
    Thread& thread = threads_[static_cast<std::size_t>(index)];
    ++thread.releases;
    thread.result = result;
  }
}

void Block::sync_warp() {
  const int first = running_ / warp_size * warp_size;
  collective<char>("bar.warp.sync", char{}, [&](const char*, char*) {
    Clocks::Vector all = clocks_.nothing();
    for (int i = first; i < first + warp_size; ++i) clocks_.release(i, all);
    for (int i = first; i < first + warp_size; ++i) clocks_.acquire(i, all);
  });
}

std::string Block::where_threads_wait() const {
  std::string result;
  for (std::size_t begin = 0; begin < threads_.size();) {
    const auto what_of = [&](std::size_t i) { return threads_[i].fiber->is_done() ? "ended" : threads_[i].what; };
    std::size_t end = begin + 1;
    while (end < threads_.size() && std::strcmp(what_of(end), what_of(begin)) == 0) ++end;
    result += text(result.empty() ? "" : ", ", "threads ", begin, " to ", end - 1, ": ", what_of(begin));
    begin = end;
  }
  for (const auto& unit : hardware_) {
    if (unit) result += unit->waits_for();
  }
  return result;
}

}  // namespace caesura::cuda_on_host
