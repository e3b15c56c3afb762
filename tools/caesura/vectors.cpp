// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "vectors.hpp"

#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

namespace caesura::tools {

namespace {

// Kernels take their vectors from Kokkos, so its architecture counts, not only the compiler's flags.
#if defined(KOKKOS_ARCH_AVX512XEON)
constexpr const char* target = "avx512";
constexpr int target_bytes = 64;
#elif defined(KOKKOS_ARCH_AVX2)
constexpr const char* target = "avx2";
constexpr int target_bytes = 32;
#elif defined(KOKKOS_ARCH_ARM_NEON)
constexpr const char* target = "neon";
constexpr int target_bytes = 16;
#else
constexpr const char* target = "scalar";
constexpr int target_bytes = sizeof(double);
#endif

#ifdef __F16C__
constexpr bool has_f16c = true;
#else
constexpr bool has_f16c = false;
#endif
#ifdef __AVX512BF16__
constexpr bool has_avx512_bf16 = true;
#else
constexpr bool has_avx512_bf16 = false;
#endif
// Tiles need no flags of the compiler: kernels have them where they have the vectors that go with them.
#ifdef __linux__
constexpr bool has_tiles = has_avx512_bf16 && target_bytes >= 64;
#else
constexpr bool has_tiles = false;
#endif

struct Extension {
  const char* name;
  const char* flag;  ///< in /proc/cpuinfo
  bool is_compiled;
  bool is_for_kernels;  ///< false: no kernel of any build uses it
};

constexpr Extension extensions[] = {
    {"avx2", "avx2", target_bytes >= 32, true},
    {"f16c", "f16c", has_f16c, true},
    {"avx512", "avx512f", target_bytes >= 64, true},
    {"avx512_bf16", "avx512_bf16", has_avx512_bf16&& target_bytes >= 64, true},
    {"avx512_fp16", "avx512_fp16", false, false},
    {"amx_bf16", "amx_bf16", has_tiles, true},
    {"neon", "asimd", target_bytes == 16, true},
    {"sve", "sve", false, false},
    {"bf16", "bf16", false, false},
};

/// The processor's flags (x86) or features (Arm); empty where the system does not tell.
std::vector<std::string> flags_of_processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}

std::string joined(const std::vector<std::string>& words) {
  std::string result;
  for (const std::string& word : words) result += text(result.empty() ? "" : ", ", word);
  return result;
}

}  // namespace

Vectors host_vectors() {
  Vectors vectors;
  vectors.target = target;
  vectors.bytes = target_bytes;
  const std::vector<std::string> flags = flags_of_processor();
  for (const Extension& extension : extensions) {
    const bool is_there = std::find(flags.begin(), flags.end(), extension.flag) != flags.end();
    if (extension.is_compiled) vectors.compiled.push_back(extension.name);
    if (is_there) vectors.machine.push_back(extension.name);
    if (is_there && extension.is_for_kernels && !extension.is_compiled) vectors.unused.push_back(extension.name);
  }
  return vectors;
}

nlohmann::ordered_json vectors_json(const Vectors& vectors) {
  return {{"target", vectors.target},
          {"bytes", vectors.bytes},
          {"compiled", vectors.compiled},
          {"machine", vectors.machine},
          {"unused", vectors.unused}};
}

void add_vector_rows(Table& table, const Vectors& vectors) {
  std::string compiled = vectors.target;
  if (vectors.bytes > static_cast<int>(sizeof(double))) compiled += text(", ", vectors.bytes, " bytes");
  if (!vectors.compiled.empty()) compiled += text(" (", joined(vectors.compiled), ")");
  table.row({"vectors", compiled});
  table.row({"processor has", vectors.machine.empty() ? "unknown" : joined(vectors.machine)});
  if (!vectors.unused.empty())
    table.row({"left unused", joined(vectors.unused) + ": build Kokkos for this processor, -DKokkos_ARCH_NATIVE=ON"});
}

}  // namespace caesura::tools
