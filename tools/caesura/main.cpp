// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "commands.hpp"
#include "ranks.hpp"
#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <iostream>
#include <new>
#include <string>

namespace {

using namespace caesura::tools;

std::string program = "caesura";

/// One line on stderr: what, where, the rule.
int fail(int status, std::string message) {
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::replace(message.begin(), message.end(), '\n', ';');
  // What all processes of a launcher find wrong, one says; what one of them meets, it says before it ends them all.
  const bool everywhere = status == exit_wrong_usage;
  if (ranks().speaks() || !everywhere) std::cerr << program << ": " << message << std::endl;
  if (!everywhere) ranks().abandon(status);
  return status;
}

int status_of(caesura::ErrorKind kind) {
  const bool caller = kind == caesura::ErrorKind::invalid_argument || kind == caesura::ErrorKind::unsupported;
  return caller ? exit_wrong_usage : exit_failed;
}

/// Calls \p work and turns what it throws into an exit status.
template <class Work>
int guarded(const Work& work) {
  try {
    return work();
  } catch (const CLI::ParseError& error) {
    return fail(exit_wrong_usage, std::string(error.what()) + " (" + program + " --help)");
  } catch (const caesura::Error& error) {
    return fail(status_of(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    return fail(exit_failed, "memory: none left");
  } catch (const std::exception& error) {
    return fail(exit_failed, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Exact variable-length attention: packs documents, runs forward and backward, verifies, measures, and plans for "
      "many ranks.",
      "caesura");
  app.footer(
      "Example: caesura run --documents 100,80,76 --heads-q 8 --heads-kv 2 --dim 64 --verify\nEach subcommand has a "
      "--help of its own.");
  app.set_version_flag("--version", CAESURA_VERSION);
  app.get_formatter()->column_width(34);
  Command chosen;
  add_run(app, chosen);
  add_plan(app, chosen);
  add_attend(app, chosen);
  add_bench(app, chosen);
  add_info(app, chosen);

  // Errors name the subcommand.
  const auto subcommands = app.get_subcommands(nullptr);
  const bool named = argc > 1 && std::any_of(subcommands.begin(), subcommands.end(),
                                             [&](const CLI::App* s) { return s->get_name() == argv[1]; });
  if (named) program += std::string(" ") + argv[1];
  set_ranks(Ranks::find());
  const struct EndOfRanks {
    ~EndOfRanks() { set_ranks(nullptr); }
  } end_of_ranks;
  if (!ranks().speaks()) std::cout.setstate(std::ios::failbit);
  const int parsed = guarded([&] {
    caesura::require(named || argc < 2 || argv[1][0] == '-', [&] {
      return caesura::text("subcommand = ", argv[1], ": must be run, plan, attend, bench or info (caesura --help)");
    });
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& success) {
      chosen = nullptr;
      return app.exit(success);
    }
    caesura::require(static_cast<bool>(chosen),
                     [] { return "subcommand: not given: must be run, plan, attend, bench or info (caesura --help)"; });
    return exit_fine;
  });
  if (parsed != exit_fine || !chosen) return parsed;

  return guarded([&] {
    // Kokkos' hints (thread binding and the like) are not the user's input.
    const Kokkos::ScopeGuard kokkos(Kokkos::InitializationSettings().set_disable_warnings(true));
    return chosen();
  });
}
