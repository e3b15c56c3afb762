// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

namespace caesura::impl {

/// As the operating system has it; empty if it does not say.
std::string host_name();

}  // namespace caesura::impl
