// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/plan.hpp"

#include <algorithm>

namespace caesura::comm::impl {

std::shared_ptr<Plan> PlanCache::find(const PlanKey& key) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.operation == key.operation && entry.parameter == key.parameter &&
           std::ranges::equal(entry.rows, key.rows) && std::ranges::equal(entry.more_rows, key.more_rows) &&
           !entry.plan->under_way();
  });
  if (found == entries_.end()) return nullptr;
  std::rotate(entries_.begin(), found, found + 1);
  return entries_.front().plan;
}

std::shared_ptr<Plan> PlanCache::add(const PlanKey& key, std::shared_ptr<Plan> plan) {
  if (entries_.size() == capacity) entries_.pop_back();  // a request that is under way keeps its plan
  entries_.insert(entries_.begin(), {key.operation,
                                     key.parameter,
                                     {key.rows.begin(), key.rows.end()},
                                     {key.more_rows.begin(), key.more_rows.end()},
                                     plan});
  return plan;
}

std::int64_t PlanCache::memory_bytes() const {
  std::int64_t bytes = 0;
  for (const Entry& entry : entries_) bytes += entry.plan->memory_bytes();
  return bytes;
}

}  // namespace caesura::comm::impl
