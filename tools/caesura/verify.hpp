// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "attention_step.hpp"
#include "progress.hpp"
#include <caesura/mask.hpp>

#include <string>
#include <vector>

namespace caesura::tools {

/// How far one tensor is from the reference.
struct TensorError {
  std::string name;
  double max_error = 0;  ///< the largest |computed - reference|; NaN if a NaN or infinity stands where none belongs
  double allowed = 0;
  std::int64_t row = 0;  ///< where the largest error is
  std::int64_t head = 0;
  std::int64_t element = 0;
  bool ok() const { return max_error <= allowed; }
};

/// Compares all results with the reference in double, computed from the inputs as they are after rounding to their type.
///
/// `allowed` is `factor x unit roundoff of the type x size`, where size is the largest value in the reference, but at
/// least what the terms of its sum are like (for gradients that cancel). The factor leaves room for rounding in sums.
template <AttentionScalar Scalar>
std::vector<TensorError> verify(const Mask& mask, const Tensors<Scalar>& tensors, const ProblemSize& size,
                                const AttentionOptions& options, Progress& progress);

}  // namespace caesura::tools
