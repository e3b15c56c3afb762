// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// NumPy's array files, format 1.0 to 3.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
///
/// Our own reader: xtensor's takes a signed length of the header, no float16, keys in one order only, and does not
/// notice a file that ends early.
namespace caesura::tools {

/// An array of float64, float32 or float16 as it lies in the file, in C order.
struct NpyArray {
  std::filesystem::path file;
  ScalarType type = ScalarType::float32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  std::int64_t size() const;
};

/// \throws Error with the file and the rule: missing, no .npy file, other types, big-endian numbers, ended early, ...
NpyArray read_npy(const std::filesystem::path& file);

/// bfloat16, which NumPy does not have, is written as float32.
void write_npy(const NpyArray& array, const std::filesystem::path& file);

/// "(100, 8, 64)".
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace caesura::tools
