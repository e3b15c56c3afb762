// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "progress.hpp"

#include <caesura/error.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace caesura::tools {

Progress::Progress() : terminal_(isatty(STDERR_FILENO) != 0) {}
Progress::~Progress() { clear(); }

void Progress::show(const std::string& what, std::int64_t done, std::int64_t total) {
  if (!terminal_) return;
  const std::scoped_lock lock(mutex_);
  const double now = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  if (what == what_ && now - shown_at_ < 0.1) return;
  shown_at_ = now;
  what_ = what;
  print(text(what, ": ", done, " of ", total));
}

void Progress::show(const std::string& what) {
  if (!terminal_) return;
  const std::scoped_lock lock(mutex_);
  what_ = what;
  print(what);
}

void Progress::clear() {
  if (!visible_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  visible_ = false;
}

void Progress::print(const std::string& line) {
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
  visible_ = true;
}

}  // namespace caesura::tools
