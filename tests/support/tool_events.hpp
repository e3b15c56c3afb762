// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace caesura::testing {

/// Listens through Kokkos Tools' callbacks as long as it lives: fences, deep copies, allocations and kernel labels.
/// One at a time.
class ToolEvents {
 public:
  ToolEvents();
  ~ToolEvents();
  ToolEvents(const ToolEvents&) = delete;
  ToolEvents& operator=(const ToolEvents&) = delete;

  const std::vector<std::string>& fences() const;
  const std::vector<std::string>& deep_copies() const;
  const std::vector<std::string>& allocations() const;
  const std::vector<std::string>& kernels() const;

  /// Neither a fence nor a deep copy.
  bool silent() const { return fences().empty() && deep_copies().empty(); }
  bool saw_fence(std::string_view name) const;
  void clear() const;
  void clear_allocations() const;
  std::string describe() const;
};

}  // namespace caesura::testing
