// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "strategy/units.hpp"
#include <caesura/error.hpp>
#include <caesura/solver/strategy.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace caesura::solver {

namespace impl {

namespace {

/// The value in the largest of the units, each 1,000 of the one before, that leaves it at least 1.
template <std::size_t Count>
std::string shown(double value, const std::array<const char*, Count>& units) {
  std::size_t unit = 0;
  // 999.5 would be printed as 1e+03.
  for (; unit + 1 < Count && value >= 999.5; ++unit) value /= 1000;
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%.3g", value);
  return text(digits.data(), " ", units[unit]);
}

}  // namespace

std::string shown_bytes(std::int64_t bytes) {
  return shown(static_cast<double>(bytes), std::array{"B", "kB", "MB", "GB", "TB", "PB"});
}

std::string shown_seconds(double seconds) { return shown(seconds * 1e9, std::array{"ns", "us", "ms", "s"}); }

}  // namespace impl

std::string_view name_of(Sharding sharding) {
  switch (sharding) {
    case Sharding::batch: return "batch";
    case Sharding::heads: return "heads";
    case Sharding::context: return "context";
    case Sharding::replicate: return "replicate";
  }
  return "";
}

std::optional<int> sharded_dimension(Sharding sharding) {
  switch (sharding) {
    case Sharding::batch: return 0;
    case Sharding::context: return 1;
    case Sharding::heads: return 2;
    case Sharding::replicate: return {};
  }
  return {};
}

std::optional<int> sharded_dimension_of_cu_seqlens(Sharding sharding) {
  if (sharding == Sharding::batch) return 0;
  return {};
}

std::string table(const Strategy& strategy, const Mesh& mesh) {
  std::vector<std::vector<std::string>> lines(1);
  for (const MeshAxis& axis : mesh.axes) lines[0].push_back(text(axis.name, " (", axis.size, ")"));
  for (const char* title : {"bytes a rank", "time", "memory a rank", "why"}) lines[0].emplace_back(title);
  for (const StrategyCandidate& candidate : strategy.candidates) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const Sharding sharding : candidate.shardings) line.emplace_back(name_of(sharding));
    if (candidate.cost) {
      line.push_back(impl::shown_bytes(candidate.cost->bytes));
      line.push_back(impl::shown_seconds(candidate.cost->seconds));
      line.push_back(impl::shown_bytes(candidate.cost->memory));
    } else {
      line.insert(line.end(), 3, "-");
    }
    line.push_back(candidate.reason);
  }
  std::vector<std::size_t> widths(lines[0].size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string result;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i)
      result += line[i] + std::string(widths[i] - line[i].size() + 2, ' ');
    result += line.back() + "\n";
  }
  return result;
}

}  // namespace caesura::solver
