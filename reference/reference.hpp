// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/attention.hpp>
#include <caesura/mask.hpp>

#include <cstdint>
#include <vector>

/// Attention by its definition: plain loops in double, no tiles, no shortcuts. Only tests and `--verify` use it.
namespace caesura::reference {

/// A packed `(rows, heads, dim)` tensor on the host.
struct Tensor {
  std::int64_t rows = 0;
  std::int64_t heads = 0;
  std::int64_t dim = 1;
  std::vector<double> values;

  Tensor() = default;
  Tensor(std::int64_t rows_, std::int64_t heads_, std::int64_t dim_, double value = 0)
      : rows(rows_), heads(heads_), dim(dim_), values(static_cast<std::size_t>(rows_ * heads_ * dim_), value) {}

  double& operator()(std::int64_t row, std::int64_t head, std::int64_t i = 0) {
    return values[static_cast<std::size_t>((row * heads + head) * dim + i)];
  }
  double operator()(std::int64_t row, std::int64_t head, std::int64_t i = 0) const {
    return values[static_cast<std::size_t>((row * heads + head) * dim + i)];
  }
};

/// The numbers of `AttentionOptions`. `sink` is `(heads_q, sinks)`, or without rows for none.
struct Options {
  double scale = 1;
  double softcap = 0;
  Dropout dropout = {};
  Tensor sink = {};
};

struct Forward {
  Tensor out;      ///< (total_q, heads_q, dim_v)
  Tensor lse;      ///< (total_q, heads_q)
  Tensor row_max;  ///< (total_q, heads_q)
};

struct Backward {
  Tensor dq, dk, dv;
  Tensor dsink;  ///< (heads_q, sinks)
};

Forward forward(const Mask& mask, const Tensor& q, const Tensor& k, const Tensor& v, const Options& options);

/// From the inputs alone: it computes its own `out` and `lse`.
Backward backward(const Mask& mask, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& dout,
                  const Options& options);

/// Whether dropout keeps the pair: Philox4x32-10 (Salmon et al. 2011) written out on its own.
bool keeps(const Dropout& dropout, std::int64_t head, std::int64_t query, std::int64_t key);

}  // namespace caesura::reference
