// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "report.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace caesura::tools {

/// The vector instructions of the host: what this build has, and what it leaves unused.
struct Vectors {
  std::string target;                 ///< of Kokkos' vectors: avx512, avx2, neon; scalar: it was built for none
  int bytes = 0;                      ///< of one vector
  std::vector<std::string> compiled;  ///< extensions that kernels of this build may use
  std::vector<std::string> machine;   ///< what the processor has of all that is known here; empty: it does not say
  std::vector<std::string> unused;    ///< what a build for this processor would add
};

Vectors host_vectors();

nlohmann::ordered_json vectors_json(const Vectors& vectors);

/// For people.
void add_vector_rows(Table& table, const Vectors& vectors);

}  // namespace caesura::tools
