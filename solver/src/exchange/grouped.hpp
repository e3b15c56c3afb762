// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver::impl {

/// Values in numbered groups, one behind the other in one array: group g is `[first[g], first[g + 1])` of it.
template <class Value>
struct Grouped {
  std::vector<std::size_t> first = {0};
  std::vector<Value> values;

  std::size_t groups() const { return first.size() - 1; }
  std::span<const Value> operator[](std::size_t group) const {
    return std::span(values).subspan(first[group], first[group + 1] - first[group]);
  }
  /// Ends the group that values were pushed to; the next ones form another.
  void end_group() { first.push_back(values.size()); }
};

/// `value_of(item)` of all items, grouped by `group_of(item)`, otherwise in their order: a counting sort.
template <class Items, class GroupOf, class ValueOf>
auto grouped(std::size_t groups, const Items& items, const GroupOf& group_of, const ValueOf& value_of) {
  Grouped<decltype(value_of(*items.begin()))> result;
  // first[g + 2] counts group g; summed up, first[g + 1] is where it begins; filled, where it ends.
  result.first.assign(groups + 2, 0);
  for (const auto& item : items) ++result.first[group_of(item) + 2];
  for (std::size_t g = 2; g < groups + 2; ++g) result.first[g] += result.first[g - 1];
  result.values.resize(result.first[groups + 1]);
  for (const auto& item : items) result.values[result.first[group_of(item) + 1]++] = value_of(item);
  result.first.pop_back();
  return result;
}

}  // namespace caesura::solver::impl
