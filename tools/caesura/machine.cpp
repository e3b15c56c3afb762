// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "machine.hpp"

#include "numbers.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

namespace caesura::tools {

namespace {

std::string first_line(const std::filesystem::path& file) {
  std::string line;
  std::getline(std::ifstream(file) >> std::ws, line);
  return line;
}

/// The value of the first line that starts with \p key, behind its colon.
std::string value_of(const char* file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(key)) return std::string(trimmed(std::string_view(line).substr(line.find(':') + 1)));
  }
  return {};
}

/// "0-3,8" -> 5.
int count_of(const std::string& list) {
  int count = 0;
  for (const std::string& part : split(list, ',')) {
    const auto ends = split(part, '-');
    const auto first = to_integer(ends.front());
    const auto last = to_integer(ends.back());
    if (first && last) count += static_cast<int>(*last - *first + 1);
  }
  return std::max(count, 1);
}

/// "48K" -> 49152.
std::int64_t bytes_of_size(const std::string& size) {
  if (size.empty()) return 0;
  const std::int64_t unit = size.back() == 'K' ? 1024 : size.back() == 'M' ? 1024 * 1024 : 1;
  return to_integer(unit == 1 ? size : size.substr(0, size.size() - 1)).value_or(0) * unit;
}

}  // namespace

Machine read_machine() {
  Machine machine;
  machine.cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (const char* key : {"model name", "Model", "cpu model"}) {
    const std::string name = value_of("/proc/cpuinfo", key);
    if (name.empty()) continue;
    machine.processor = name;
    break;
  }
  const std::string memory = value_of("/proc/meminfo", "MemTotal");
  machine.memory_bytes = to_integer(memory.substr(0, memory.find(' '))).value_or(0) * 1024;
  const std::filesystem::path caches = "/sys/devices/system/cpu/cpu0/cache";
  for (int i = 0; std::filesystem::is_directory(caches / ("index" + std::to_string(i))); ++i) {
    const std::filesystem::path cache = caches / ("index" + std::to_string(i));
    const std::string type = first_line(cache / "type");
    if (type == "Instruction") continue;
    machine.caches.push_back({.name = "L" + first_line(cache / "level") + (type == "Data" ? "d" : ""),
                              .bytes = bytes_of_size(first_line(cache / "size")),
                              .shared_by = count_of(first_line(cache / "shared_cpu_list"))});
  }
  return machine;
}

}  // namespace caesura::tools
