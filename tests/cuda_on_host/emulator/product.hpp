// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

namespace caesura::cuda_on_host {

/// sum (rows x columns) += left (rows x depth) right (depth x columns), all in rows without gaps.
void add_product(float* sum, const float* left, const float* right, int rows, int columns, int depth);

}  // namespace caesura::cuda_on_host
