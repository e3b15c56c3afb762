// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "options.hpp"
#include <caesura/solver/cluster.hpp>
#include <caesura/solver/options.hpp>

#include <string>

namespace caesura::tools {

/// `--ranks --nodes --cluster --dispatch --exchange --stages --token-slack --tolerance --dispatch-chunk`.
struct PlanArguments {
  std::int64_t ranks = 0;  ///< 0: not given
  std::int64_t nodes = 0;  ///< 0: not given
  std::string cluster_file;
  solver::Options options;
};
void add_plan_options(CLI::App& app, PlanArguments& arguments);

/// The file's cluster (or \p base), with what the command line says of ranks and nodes.
/// \throws Error if nobody says how many ranks
solver::Cluster cluster_of(const PlanArguments& arguments, const solver::Cluster& base = {});

/// What the solver must know of a layer. The shape is complete.
solver::LayerShape layer_of(const ShapeArguments& shape);

/// A file's text. \throws Error that names the option and the path.
std::string read_text(const std::string& option, const std::string& path);

}  // namespace caesura::tools
