// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate.hpp"
#include "commands.hpp"
#include "kernel_support.hpp"
#include "machine.hpp"
#include "numbers.hpp"
#include "options.hpp"
#include "report.hpp"
#include "vectors.hpp"
#include <caesura/comm/placement_advice.hpp>
#include <caesura/error.hpp>
#include <caesura/host_topology.hpp>
#include <caesura/solver/cluster.hpp>

#include <Kokkos_Core.hpp>

#include <nlohmann/json.hpp>
#include <perf/machine_peak.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

namespace caesura::tools {

namespace {

#ifdef CAESURA_CHECKS
constexpr bool checks = true;
#else
constexpr bool checks = false;
#endif
#ifdef KOKKOS_ENABLE_CUDA
constexpr bool cuda = true;
#else
constexpr bool cuda = false;
#endif

template <class Each>
void for_each_space(const Each& each) {
#ifdef KOKKOS_ENABLE_SERIAL
  each.template operator()<Kokkos::Serial>();
#endif
#ifdef KOKKOS_ENABLE_OPENMP
  each.template operator()<Kokkos::OpenMP>();
#endif
#ifdef KOKKOS_ENABLE_THREADS
  each.template operator()<Kokkos::Threads>();
#endif
#ifdef KOKKOS_ENABLE_CUDA
  each.template operator()<Kokkos::Cuda>();
#endif
}

std::string kokkos_version() {
  return text(KOKKOS_VERSION / 10000, ".", KOKKOS_VERSION / 100 % 100, ".", KOKKOS_VERSION % 100);
}

nlohmann::ordered_json collect(int ranks) {
  nlohmann::ordered_json info;
  info["version"] = CAESURA_VERSION;
  info["build"] = {{"compiler", CAESURA_COMPILER},
                   {"flags", std::string(trimmed(CAESURA_FLAGS))},
                   {"type", CAESURA_BUILD_TYPE},
                   {"kokkos", kokkos_version()},
                   {"checks", checks},
                   {"cuda", cuda}};
  for (const auto& [name, version] : communication_libraries()) info["build"][name] = version;
  info["machine"] = host_json(host_topology());
  info["vectors"] = vectors_json(host_vectors());
  info["placement"] = placement_json(comm::placement_advice(host_topology(), ranks));
  info["peak_gflops"] = {{"float", perf::measure_peak_gflops(ScalarType::float32)},
                         {"double", perf::measure_peak_gflops(ScalarType::float64)},
                         {"float_one_thread", perf::measure_peak_gflops(ScalarType::float32, 1)},
                         {"double_one_thread", perf::measure_peak_gflops(ScalarType::float64, 1)},
                         {"bfloat16_dot", perf::measure_dot_peak_gflops()}};
  info["default_space"] = Space::name();
  for_each_space([&]<class Some>() {
    using Policy = Kokkos::TeamPolicy<Some>;
    nlohmann::ordered_json space = {{"name", Some::name()},
                                    {"concurrency", Some().concurrency()},
                                    {"scratch_bytes", {Policy::scratch_size_max(0), Policy::scratch_size_max(1)}},
                                    {"kernels", nlohmann::ordered_json::array()}};
    for (const KernelSupport& kernel : kernel_support<Some>()) {
      nlohmann::ordered_json entry = {{"name", kernel.name},
                                      {"description", kernel.description},
                                      {"priority", kernel.priority},
                                      {"refuses", nlohmann::ordered_json::object()}};
      entry["supports"] = kernel.supports;
      for (const auto& [feature, reason] : kernel.refuses) entry["refuses"][feature] = reason;
      space["kernels"].push_back(std::move(entry));
    }
    info["spaces"].push_back(std::move(space));
  });
  return info;
}

std::string print(const nlohmann::ordered_json& info, int ranks) {
  const auto words = [](const nlohmann::ordered_json& value) { return value.get<std::string>(); };
  const auto yes = [](const nlohmann::ordered_json& value) { return value.get<bool>() ? "yes" : "no"; };
  const nlohmann::ordered_json& build = info["build"];
  Table table;
  table.row({"caesura", words(info["version"])});
  table.row({"compiler", words(build["compiler"])});
  table.row({"flags", words(build["flags"])});
  table.row({"build", text(words(build["type"]), ", checks ", yes(build["checks"]), ", CUDA ", yes(build["cuda"]),
                           ", Kokkos ", words(build["kokkos"]))});
  std::string libraries;
  for (const auto& [name, version] : communication_libraries())
    libraries += text(libraries.empty() ? "" : ", ", version.empty() ? text("no ", name) : version);
  table.row({"communication", libraries});
  add_host_rows(table, host_topology());
  add_vector_rows(table, host_vectors());
  const auto peak = [&](const char* key) { return formatted("%.0f", info["peak_gflops"][key].get<double>()); };
  const bool has_dot = info["peak_gflops"]["bfloat16_dot"].get<double>() > 0;
  table.row({"peak GFLOP/s", text("float ", peak("float"), ", double ", peak("double"), ", bfloat16 dot products ",
                                  has_dot ? peak("bfloat16_dot") : "none", "; one thread: float ",
                                  peak("float_one_thread"), ", double ", peak("double_one_thread"))});
  std::string result = table.print();
  for (const auto& space : info["spaces"]) {
    const bool is_default = space["name"] == info["default_space"];
    const int threads = space["concurrency"].get<int>();
    result += text("\n", words(space["name"]), is_default ? " (default)" : "", ": ", threads,
                   threads == 1 ? " thread" : " threads", ", scratch a team ",
                   bytes_text(space["scratch_bytes"][0].get<std::int64_t>()), " / ",
                   bytes_text(space["scratch_bytes"][1].get<std::int64_t>()), " (levels 0, 1)\n");
    for (const auto& kernel : space["kernels"]) {
      result += text("  ", words(kernel["name"]), ": ", words(kernel["description"]), "\n");
      std::string features;
      for (const auto& feature : kernel["supports"]) features += (features.empty() ? "" : ", ") + words(feature);
      if (!features.empty()) result += text("    does: ", features, "\n");
      std::vector<std::pair<std::string, std::string>> by_reason;  // reason, features
      for (const auto& [feature, reason] : kernel["refuses"].items()) {
        const auto known = std::find_if(by_reason.begin(), by_reason.end(),
                                        [&, why = words(reason)](const auto& entry) { return entry.first == why; });
        if (known == by_reason.end())
          by_reason.emplace_back(words(reason), feature);
        else
          known->second += ", " + feature;
      }
      for (const auto& [reason, refused] : by_reason) result += text("    not ", refused, ": ", reason, "\n");
    }
  }
  return result + "\nPlacement: " + comm::placement_advice(host_topology(), ranks).text();
}

int run_calibration(const std::string& path, ShapeArguments shape) {
  require_writable("--calibrate", path);
  shape.complete();
  Progress progress;
  const Calibration calibration = calibrate(shape, progress);
  if (path != "-") std::cout << calibration_table(calibration);
  write_text(path, solver::to_json(calibration.cluster));
  return exit_fine;
}

}  // namespace

void add_info(CLI::App& app, Command& chosen) {
  struct InfoArguments {
    std::string json;
    std::string calibrate;
    int ranks = 0;
    ShapeArguments shape;
  };
  const auto arguments = std::make_shared<InfoArguments>();
  CLI::App& command = *app.add_subcommand("info", "Version, build, machine, what each kernel does, where ranks belong");
  command.footer(
      "Example: caesura info --calibrate cluster.json --dtype half\n"
      "Exit status: 0 fine, 2 wrong usage, 3 a failure at run time.");
  CLI::Option* option =
      command.add_option("--json", arguments->json, "Write it there as JSON; - (or no FILE) is stdout")
          ->type_name("FILE")
          ->expected(0, 1)
          ->default_str("-");
  command
      .add_option("--calibrate", arguments->calibrate,
                  "Measure the rates of this machine instead and store them there, for caesura plan --cluster")
      ->type_name("FILE");
  command
      .add_option("--ranks", arguments->ranks, "Ranks on this machine that the placement is for; 0: one a NUMA node")
      ->check(CLI::NonNegativeNumber);
  // What is calibrated.
  add_shape_options(command, arguments->shape);
  command.callback([arguments, option, &chosen] {
    chosen = [arguments, option] {
      if (!arguments->calibrate.empty()) return run_calibration(arguments->calibrate, arguments->shape);
      const std::string path = option->count() > 0 && arguments->json.empty() ? "-" : arguments->json;
      require_writable("--json", path);
      const nlohmann::ordered_json info = collect(arguments->ranks);
      if (path != "-") std::cout << print(info, arguments->ranks);
      if (!path.empty()) write_text(path, info.dump(2) + "\n");
      return exit_fine;
    };
  });
}

}  // namespace caesura::tools
