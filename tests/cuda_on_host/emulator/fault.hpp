// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <stdexcept>

namespace caesura::cuda_on_host {

/// What an emulated kernel did that the hardware does not allow, or whose result it does not promise. The message names
/// the operation, the threads and the bytes.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace caesura::cuda_on_host
