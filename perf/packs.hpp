// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace caesura::perf {

/// The first \p tokens tokens of a file of document lengths, the last document cut. A file that holds fewer is read again
/// from its top.
inline std::vector<std::int64_t> pack_of_file(const std::string& path, std::int64_t tokens) {
  std::ifstream file(path);
  std::vector<std::int64_t> all;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#' && std::stoll(line) > 0) all.push_back(std::stoll(line));
  }
  if (all.empty()) throw std::runtime_error(path + ": holds no document length");
  std::vector<std::int64_t> lengths;
  for (std::size_t i = 0; tokens > 0; i = (i + 1) % all.size()) {
    lengths.push_back(std::min(all[i], tokens));
    tokens -= lengths.back();
  }
  return lengths;
}

/// Documents drawn from the histogram that MagiAttention measures itself on (arXiv:2505.13211), those above a quarter of
/// \p tokens cut there.
inline std::vector<std::int64_t> pack_of_histogram(std::int64_t tokens, std::uint64_t seed) {
  constexpr std::array<std::int64_t, 14> middles = {5,    30,   75,    150,   350,   762,   1536,
                                                    3072, 6144, 12288, 24576, 49152, 98304, 163840};
  constexpr std::array<std::int64_t, 14> counts = {30254,  391188, 699596, 1377757, 3794735, 3316785, 2106566,
                                                   988525, 410002, 173574, 115007,  18428,   22513,   18284};
  std::mt19937_64 engine(seed);
  std::uint64_t all = 0;
  for (const std::int64_t count : counts) all += static_cast<std::uint64_t>(count);
  std::vector<std::int64_t> lengths;
  for (std::int64_t left = tokens; left > 0; left -= lengths.back()) {
    // Not std::discrete_distribution: that differs between standard libraries.
    auto at = static_cast<std::int64_t>(engine() % all);
    std::size_t bin = 0;
    while (at >= counts[bin]) at -= counts[bin++];
    lengths.push_back(std::min({middles[bin], std::max<std::int64_t>(1, tokens / 4), left}));
  }
  return lengths;
}

}  // namespace caesura::perf
