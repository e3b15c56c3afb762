// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

// Only formulas: those of devices.
#include "../../../backends/cuda/ptx/swizzle.hpp"
