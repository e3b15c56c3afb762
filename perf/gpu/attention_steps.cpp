// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "perf/gpu/small_steps.hpp"
#include "perf/gpu/step.hpp"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>

// Steps of attention on the default space, as another program asks for them (perf/gpu/benchmark.py, scripts/gpu_check):
// a command a line on the standard input, or an argument each; a line of JSON for every command.
//
//     case bfloat16 - causal 32 8 128 16384     scalar, kernel (-: the one callers get), rule (causal or full),
//                                               heads_q, heads_kv, dim, document lengths; 34x8192: 8,192 of 34
//     forward 10                                runs it ten times: mean seconds of one
//     backward 10
//     backward_any 10                           the same with SumOrder::any
//     compare                                   relative differences to the portable kernel's results
//     small cuda                                small problems of every dim and option, for sanitizers, with the
//                                               kernels whose names begin so (-: all)

namespace {

using namespace caesura::perf;

class Steps {
 public:
  /// The answer to a command.
  std::string answer(const std::string& line) try {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "case") return make_case(words);
    if (command == "small") return run_small(words);
    caesura::require(step_ != nullptr, [&] { return caesura::text(command, ": no case yet"); });
    if (command == "compare") return compare();
    int count = 1;
    words >> count;
    if (command == "forward") return seconds([&] { step_->forward(); }, count);
    if (command == "backward") return seconds([&] { step_->backward(caesura::SumOrder::fixed); }, count);
    if (command == "backward_any") return seconds([&] { step_->backward(caesura::SumOrder::any); }, count);
    throw caesura::Error(caesura::ErrorKind::invalid_argument, caesura::text(command, ": is no command"));
  } catch (const std::exception& error) {
    std::string message;
    for (const char c : std::string_view(error.what())) {
      if (c == '"' || c == '\\') message += '\\';
      message += c < ' ' ? ' ' : c;
    }
    return caesura::text("{\"error\": \"", message, "\"}");
  }

 private:
  std::string make_case(std::istream& words) {
    step_.reset();  // its memory goes before more is taken
    const StepShape shape = read_shape(words);
    step_ = make_step(shape);
    return caesura::text("{\"area\": ", step_->area(), ", \"tokens\": ", step_->tokens(), ", \"kernel_forward\": \"",
                         step_->kernel_forward(), "\", \"kernel_backward\": \"", step_->kernel_backward(), "\"}");
  }

  std::string seconds(const auto& run, int count) const {
    Stopwatch<Space> watch(step_->space());
    watch.start();
    for (int i = 0; i < count; ++i) run();
    const double total = watch.stop();
    return caesura::text("{\"seconds\": ", total / count, "}");
  }

  std::string compare() const {
    std::string result;
    for (const Difference& difference : step_->differences_from("portable")) {
      result += caesura::text(result.empty() ? "" : ", ", '"', difference.tensor, "\": ");
      result += std::isfinite(difference.relative) ? caesura::text(difference.relative) : "null";
    }
    return caesura::text("{\"differences\": {", result, "}}");
  }

  static std::string run_small(std::istream& words) {
    std::string names;
    words >> names;
    return caesura::text("{\"steps\": ", run_small_steps(names == "-" ? "" : names), "}");
  }

  std::unique_ptr<AnyStep> step_;
};

std::string kernels() {
  std::string names;
  for (const auto& kernel : caesura::kernels<Space>())
    names += caesura::text(names.empty() ? "" : ", ", '"', kernel.name, '"');
  return caesura::text("{\"space\": \"", Space::name(), "\", \"kernels\": [", names, "]}");
}

}  // namespace

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard guard(Kokkos::InitializationSettings().set_disable_warnings(true));
  const auto say = [](const std::string& line) {
    std::fprintf(stdout, "%s\n", line.c_str());
    std::fflush(stdout);
  };
  Steps steps;
  say(kernels());
  for (int i = 1; i < argc; ++i) say(steps.answer(argv[i]));
  if (argc > 1) return 0;
  for (std::string line; std::getline(std::cin, line);) say(steps.answer(line));
  return 0;
}
