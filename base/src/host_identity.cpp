// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/host_name.hpp"
#include "impl/system_files.hpp"
#include <caesura/host_topology.hpp>

#include <unistd.h>

#include <filesystem>

namespace caesura {

namespace impl {

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

}  // namespace impl

std::string host_identity() {
  // Host names alone mislead: images and containers often share one. The number of a network namespace is unique on
  // a running kernel only, and ranks in different ones reach each other through a network even on one machine.
  std::error_code ignored;
  return impl::host_name() + " " + impl::first_line("/proc/sys/kernel/random/boot_id") + " " +
         std::filesystem::read_symlink("/proc/self/ns/net", ignored).string();
}

}  // namespace caesura
