// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace caesura::tools {

/// What a subcommand does once all of its options are read; returns the exit status.
using Command = std::function<int()>;

/// Each adds one subcommand; \p chosen is set if the command line names it.
void add_run(CLI::App& app, Command& chosen);
void add_plan(CLI::App& app, Command& chosen);
void add_attend(CLI::App& app, Command& chosen);
void add_bench(CLI::App& app, Command& chosen);
void add_info(CLI::App& app, Command& chosen);

inline constexpr int exit_fine = 0;
inline constexpr int exit_verification_failed = 1;
inline constexpr int exit_wrong_usage = 2;
inline constexpr int exit_failed = 3;

}  // namespace caesura::tools
