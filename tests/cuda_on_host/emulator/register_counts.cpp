// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "register_counts.hpp"

#include "fault.hpp"
#include <caesura/error.hpp>

#include <algorithm>

namespace caesura::cuda_on_host {

namespace {

constexpr std::size_t group_warps = 4;

}  // namespace

RegisterCounts::RegisterCounts(Block& block)
    : block_(block),
      said_(static_cast<std::size_t>(block.threads() / Block::warp_size)),
      registers_(said_.size(), std::min(256, all / block.threads() / 8 * 8)),
      requests_(said_.size()),
      free_(all - std::int64_t{registers_[0]} * block.threads()) {}

void RegisterCounts::begin(int registers, const char* what) {
  const std::size_t warp = static_cast<std::size_t>(block_.thread() / Block::warp_size);
  const std::size_t first = warp / group_warps * group_warps;
  for (std::size_t i = first; i < std::min(first + group_warps, said_.size()); ++i) {
    const std::size_t step = said_[warp].size();
    if (said_[i].size() > step && said_[i][step] != registers) {
      throw Fault(text(what, ", warp ", warp, ": registers = ", registers, ": warp ", i, " of its warpgroup said ",
                       said_[i][step]));
    }
  }
  said_[warp].push_back(registers);
}

void RegisterCounts::shrink(int registers) {
  block_.collective<char>("setmaxnreg.dec", char{}, [&](const char*, char*) {
    begin(registers, "setmaxnreg.dec");
    int& mine = registers_[static_cast<std::size_t>(block_.thread() / Block::warp_size)];
    if (registers > mine) {
      throw Fault(text("setmaxnreg.dec, thread ", block_.thread(), ": registers = ", registers, ": it has ", mine));
    }
    free_ += std::int64_t{mine - registers} * Block::warp_size;
    mine = registers;
  });
}

void RegisterCounts::grow(int registers) {
  const std::size_t warp = static_cast<std::size_t>(block_.thread() / Block::warp_size);
  Request& request = requests_[warp];
  block_.collective<char>("setmaxnreg.inc", char{}, [&](const char*, char*) {
    begin(registers, "setmaxnreg.inc");
    int& mine = registers_[warp];
    if (registers < mine) {
      throw Fault(text("setmaxnreg.inc, thread ", block_.thread(), ": registers = ", registers, ": it has ", mine));
    }
    request = {&free_, std::int64_t{registers - mine} * Block::warp_size, false};
    mine = registers;
  });
  const Block::Ready is_enough = [](const void* state, std::uint64_t) {
    const auto& [free, wanted, is_granted] = *static_cast<const Request*>(state);
    return is_granted || *free >= wanted;
  };
  block_.wait("setmaxnreg.inc", is_enough, &request, 0);
  if (!request.is_granted) free_ -= request.wanted;
  request.is_granted = true;
}

void RegisterCounts::finish() {
  for (std::size_t warp = 0; warp < said_.size(); ++warp) {
    const std::size_t first = warp / group_warps * group_warps;
    if (said_[warp].size() != said_[first].size()) {
      throw Fault(text("setmaxnreg: warp ", warp, " said it ", said_[warp].size(), " times, warp ", first,
                       " of its warpgroup ", said_[first].size(), " times"));
    }
  }
}

}  // namespace caesura::cuda_on_host
