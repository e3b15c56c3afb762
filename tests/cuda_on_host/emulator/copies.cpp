// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "copies.hpp"

#include "fault.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <array>

namespace caesura::cuda_on_host {

Copies::Copies(Block& block) : block_(block), threads_(static_cast<std::size_t>(block.threads())) {}

void Copies::begin(std::uint32_t to, const void* from, bool exists) {
  if (exists && reinterpret_cast<std::uintptr_t>(from) % bytes != 0) {
    throw Fault(text("cp.async, thread ", block_.thread(), ": from = ", from, ": must be a multiple of ", bytes));
  }
  block_.shared().begin_copy(block_.thread(), to, bytes, "cp.async");
  Thread& thread = threads_[static_cast<std::size_t>(block_.thread())];
  thread.copies.push_back({to, exists ? from : nullptr, thread.group});
}

void Copies::commit() { ++threads_[static_cast<std::size_t>(block_.thread())].group; }

void Copies::land(Copy& copy) {
  constexpr std::array<std::byte, bytes> zeros{};
  block_.shared().land(copy.to, copy.from ? copy.from : zeros.data(), bytes);
  copy.has_landed = true;
}

void Copies::wait(int pending) {
  Thread& thread = threads_[static_cast<std::size_t>(block_.thread())];
  // Groups are in order, so those that are done are in front.
  const auto first_pending = std::find_if(thread.copies.begin(), thread.copies.end(),
                                          [&](const Copy& copy) { return copy.group >= thread.group - pending; });
  for (auto copy = thread.copies.begin(); copy != first_pending; ++copy) {
    if (!copy->has_landed) land(*copy);
    block_.shared().finish_copy(block_.thread(), copy->to, bytes);
  }
  thread.copies.erase(thread.copies.begin(), first_pending);
}

bool Copies::advance(std::mt19937_64& random) {
  const std::size_t first = random() % threads_.size();
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    for (Copy& copy : threads_[(first + i) % threads_.size()].copies) {
      if (copy.has_landed || random() % 2 == 0) continue;
      land(copy);
      return false;  // no thread waits for a copy by itself: it makes nobody ready
    }
  }
  return false;
}

}  // namespace caesura::cuda_on_host
