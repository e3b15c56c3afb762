// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/shared.hpp>

namespace caesura::ptx {

/// `ldmatrix.m8n8.x4.b16` (PTX 9.7.14.5.15): four matrices of 8 rows of 8 16-bit values. Lane `8 i + r` gives the address,
/// a multiple of 16, of row r of matrix i; lane l gets of each matrix columns `2 (l % 4)` and the next of row `l / 4`.
CAESURA_DEVICE Vector4 load_matrices(SharedAddress row) {
  Vector4 d;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d.word[0]), "=r"(d.word[1]), "=r"(d.word[2]), "=r"(d.word[3])
               : "r"(row.value)
               : "memory");
  return d;
}

/// The same with each matrix transposed: lane l gets rows `2 (l % 4)` and the next of column `l / 4`.
CAESURA_DEVICE Vector4 load_matrices_transposed(SharedAddress row) {
  Vector4 d;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d.word[0]), "=r"(d.word[1]), "=r"(d.word[2]), "=r"(d.word[3])
               : "r"(row.value)
               : "memory");
  return d;
}

}  // namespace caesura::ptx
