// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace caesura::tools {

/// One line on stderr that tells how far long work is; only if stderr is a terminal. Erased at the end.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// "what: done of total". May be called by several threads; most calls only look at the clock.
  void show(const std::string& what, std::int64_t done, std::int64_t total);
  void show(const std::string& what);
  void clear();

 private:
  void print(const std::string& line);

  bool terminal_;
  double shown_at_ = -1;
  bool visible_ = false;
  std::string what_;
  std::mutex mutex_;
};

}  // namespace caesura::tools
