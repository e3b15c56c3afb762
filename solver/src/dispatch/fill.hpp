// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "deal.hpp"

#include <cstdint>
#include <vector>

namespace caesura::solver::impl {

/// A part of a component that still has no owner: its first rows, counted from the sparse end.
struct Rest {
  std::int64_t rows;
  std::int32_t component;
  friend bool operator<(const Rest& a, const Rest& b) {
    return a.rows != b.rows ? a.rows < b.rows : a.component > b.component;
  }
};

/// Rows of a component that did not fit where they belong, counted from the sparse end.
struct Left {
  std::int32_t component;
  std::int64_t begin;
  std::int64_t end;
};

/// Fills all ranks up. \p shorts go longest first, each to the rank that wants the densest filler to have \p cap pairs in the end; the last
/// ones, and what is \p left, are cut to make tokens exact.
void fill(Deal& deal, std::vector<Rest> shorts, const std::vector<Left>& left, double cap);

}  // namespace caesura::solver::impl
