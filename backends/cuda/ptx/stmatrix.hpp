// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/shared.hpp>

namespace caesura::ptx {

/// `stmatrix.m8n8.x4.b16` (PTX 9.7.14.5.16): the reverse of `load_matrices`. Lane `8 i + r` gives the address, a multiple of
/// 16, of row r of matrix i; word i of lane l is columns `2 (l % 4)` and the next of row `l / 4` of matrix i.
CAESURA_DEVICE void store_matrices(SharedAddress row, const Vector4& value) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row.value), "r"(value.word[0]),
               "r"(value.word[1]), "r"(value.word[2]), "r"(value.word[3])
               : "memory");
}

/// The same with each matrix transposed: word i of lane l is rows `2 (l % 4)` and the next of column `l / 4`.
CAESURA_DEVICE void store_matrices_transposed(SharedAddress row, const Vector4& value) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row.value),
               "r"(value.word[0]), "r"(value.word[1]), "r"(value.word[2]), "r"(value.word[3])
               : "memory");
}

}  // namespace caesura::ptx
