// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/options.hpp>

#include <array>

namespace caesura::solver {

void Options::validate(const char* function) const {
  const auto check = [&](bool ok, const char* name, auto value, const char* rule) {
    require(ok, [&] { return text(function, ": ", name, " = ", value, ": ", rule); });
  };
  check(stages >= 0, "stages", stages, "must be 0 (automatic) or more");
  check(token_slack >= 0 && token_slack <= 1, "token_slack", token_slack, "must be from 0 to 1");
  check(tolerance >= 0 && tolerance <= 1, "tolerance", tolerance, "must be from 0 to 1");
  check(chunk >= 0, "chunk", chunk, "must be 0 (automatic) or more");
  check(top_p > 0 && top_p <= 1, "top_p", top_p, "must be above 0 and at most 1");
  check(passes.forward >= 0 && passes.backward >= 0 && passes.forward + passes.backward > 0, "passes",
        text("{", passes.forward, ", ", passes.backward, "}"), "must not be negative, and not both 0");
  layer.validate(function);
}

namespace {
constexpr std::array dispatches = {Dispatch::contiguous, Dispatch::head_tail, Dispatch::lpt,
                                   Dispatch::topp,       Dispatch::balanced,  Dispatch::exact};
constexpr std::array exchanges = {ExchangeKind::zero_redundancy, ExchangeKind::hierarchical, ExchangeKind::all_gather,
                                  ExchangeKind::ring, ExchangeKind::qo};
}  // namespace

std::string_view name_of(Dispatch dispatch) {
  switch (dispatch) {
    case Dispatch::contiguous: return "contiguous";
    case Dispatch::head_tail: return "head_tail";
    case Dispatch::lpt: return "lpt";
    case Dispatch::topp: return "topp";
    case Dispatch::balanced: return "balanced";
    case Dispatch::exact: return "exact";
  }
  return "";
}

std::string_view name_of(ExchangeKind kind) {
  switch (kind) {
    case ExchangeKind::zero_redundancy: return "zero_redundancy";
    case ExchangeKind::hierarchical: return "hierarchical";
    case ExchangeKind::all_gather: return "all_gather";
    case ExchangeKind::ring: return "ring";
    case ExchangeKind::qo: return "qo";
  }
  return "";
}

std::span<const Dispatch> all_dispatches() { return dispatches; }
std::span<const ExchangeKind> all_exchanges() { return exchanges; }

}  // namespace caesura::solver
