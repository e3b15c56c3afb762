// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <reference/reference.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <limits>
#include <thread>
#include <vector>

namespace caesura::reference {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// What every query sees, as ranges, slice by slice.
using VisibleRanges = std::vector<std::vector<Range>>;

VisibleRanges visible_ranges(const Mask& mask) {
  VisibleRanges ranges(static_cast<std::size_t>(mask.total_q()));
  for (const BandSlice& slice : mask.slices()) {
    for (std::int64_t query = slice.q_begin; query < slice.q_end; ++query) {
      ranges[static_cast<std::size_t>(query)].push_back(slice.keys_of(query));
    }
  }
  return ranges;
}

/// The keys of \p ranges one by one, in \p keys.
void list_keys(const std::vector<Range>& ranges, std::vector<std::int64_t>& keys) {
  keys.clear();
  for (const Range& range : ranges) {
    for (std::int64_t key = range.begin; key < range.end; ++key) keys.push_back(key);
  }
}

/// Calls body(head) for every head, several at a time.
template <class Body>
void for_each_head(std::int64_t heads, const Body& body) {
  std::atomic<std::int64_t> next = 0;
  const auto work = [&] {
    for (std::int64_t head = next++; head < heads; head = next++) body(head);
  };
  const std::int64_t cores = std::max<std::int64_t>(1, std::thread::hardware_concurrency());
  std::vector<std::jthread> helpers;
  for (std::int64_t i = 1; i < std::min(cores, heads); ++i) helpers.emplace_back(work);
  work();
}

double dot(const double* a, const double* b, std::int64_t n) {
  // Four sums that do not wait for each other.
  std::array<double, 4> sums = {};
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int lane = 0; lane < 4; ++lane) sums[static_cast<std::size_t>(lane)] += a[i + lane] * b[i + lane];
  }
  double sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void add_scaled(double factor, const double* x, double* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

const double* row(const Tensor& tensor, std::int64_t r, std::int64_t head) {
  return tensor.values.data() + (r * tensor.heads + head) * tensor.dim;
}
double* row(Tensor& tensor, std::int64_t r, std::int64_t head) {
  return tensor.values.data() + (r * tensor.heads + head) * tensor.dim;
}

/// The softmax of one row: its logits become probabilities, before dropout.
struct RowSoftmax {
  std::vector<double> logits;
  std::vector<double> probabilities;
  double row_max = -infinity;
  double lse = -infinity;

  void compute(const std::vector<std::int64_t>& keys, const double* query, const Tensor& k, std::int64_t head_kv,
               std::int64_t head, const Options& options) {
    logits.resize(keys.size());
    row_max = -infinity;
    bool has_nan = false;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      double logit = options.scale * dot(query, row(k, keys[i], head_kv), k.dim);
      if (options.softcap > 0) logit = options.softcap * std::tanh(logit / options.softcap);
      has_nan = has_nan || std::isnan(logit);
      row_max = std::max(row_max, logit);
      logits[i] = logit;
    }
    const std::int64_t sinks = options.sink.rows > 0 ? options.sink.heads : 0;
    double largest = row_max;
    for (std::int64_t s = 0; s < sinks; ++s) {
      has_nan = has_nan || std::isnan(options.sink(head, s));
      largest = std::max(largest, options.sink(head, s));
    }
    probabilities.assign(keys.size(), 0);
    if (largest == -infinity && !has_nan) {
      lse = -infinity;
      return;
    }
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit - largest);
    for (std::int64_t s = 0; s < sinks; ++s) sum += std::exp(options.sink(head, s) - largest);
    lse = has_nan ? std::numeric_limits<double>::quiet_NaN() : largest + std::log(sum);
    if (has_nan) row_max = lse;
    for (std::size_t i = 0; i < keys.size(); ++i) probabilities[i] = std::exp(logits[i] - lse);
  }
};

/// What a probability is multiplied with after the softmax.
double dropout_factor(const Dropout& dropout, std::int64_t head, std::int64_t query, std::int64_t key) {
  if (dropout.probability <= 0) return 1;
  return keeps(dropout, head, query, key) ? 1 / (1 - dropout.probability) : 0;
}

}  // namespace

bool keeps(const Dropout& dropout, std::int64_t head, std::int64_t query, std::int64_t key) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  const auto k = static_cast<std::uint64_t>(key);
  std::array<std::uint32_t, 4> counter = {low(k >> 2), low(static_cast<std::uint64_t>(query)),
                                          low(static_cast<std::uint64_t>(head)), low(dropout.offset)};
  std::array<std::uint32_t, 2> round_key = {low(dropout.seed), high(dropout.seed) ^ high(dropout.offset)};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {high(b) ^ counter[1] ^ round_key[0], low(b), high(a) ^ counter[3] ^ round_key[1], low(a)};
    round_key[0] += 0x9E3779B9u;
    round_key[1] += 0xBB67AE85u;
  }
  const double threshold = std::min(dropout.probability * 0x1p32, 0x1p32 - 1);
  return counter[k & 3] >= static_cast<std::uint32_t>(threshold);
}

Forward forward(const Mask& mask, const Tensor& q, const Tensor& k, const Tensor& v, const Options& options) {
  Forward result = {Tensor(q.rows, q.heads, v.dim), Tensor(q.rows, q.heads, 1, -infinity),
                    Tensor(q.rows, q.heads, 1, -infinity)};
  const VisibleRanges ranges = visible_ranges(mask);
  for_each_head(q.heads, [&](std::int64_t head) {
    const std::int64_t head_kv = head / (q.heads / k.heads);
    RowSoftmax softmax;
    std::vector<std::int64_t> seen;
    for (std::int64_t query = 0; query < q.rows; ++query) {
      list_keys(ranges[static_cast<std::size_t>(query)], seen);
      softmax.compute(seen, row(q, query, head), k, head_kv, head, options);
      result.lse(query, head) = softmax.lse;
      result.row_max(query, head) = softmax.row_max;
      if (softmax.lse == -infinity) continue;
      for (std::size_t i = 0; i < seen.size(); ++i) {
        const double p = softmax.probabilities[i] * dropout_factor(options.dropout, head, query, seen[i]);
        add_scaled(p, row(v, seen[i], head_kv), row(result.out, query, head), v.dim);
      }
    }
  });
  return result;
}

Backward backward(const Mask& mask, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& dout,
                  const Options& options) {
  const std::int64_t group = q.heads / k.heads;
  const std::int64_t sinks = options.sink.rows > 0 ? options.sink.heads : 0;
  Backward result = {Tensor(q.rows, q.heads, q.dim), Tensor(k.rows, k.heads, k.dim), Tensor(v.rows, v.heads, v.dim),
                     Tensor(sinks > 0 ? q.heads : 0, sinks, 1)};
  const VisibleRanges ranges = visible_ranges(mask);
  // One query head at a time; those that share a key head are added up at the end, in their order.
  std::vector<Tensor> head_dk(static_cast<std::size_t>(q.heads)), head_dv(static_cast<std::size_t>(q.heads));
  for_each_head(q.heads, [&](std::int64_t head) {
    const std::int64_t head_kv = head / group;
    Tensor dk(k.rows, 1, k.dim), dv(v.rows, 1, v.dim);
    RowSoftmax softmax;
    std::vector<std::int64_t> seen;
    std::vector<double> dprobabilities;
    for (std::int64_t query = 0; query < q.rows; ++query) {
      list_keys(ranges[static_cast<std::size_t>(query)], seen);
      softmax.compute(seen, row(q, query, head), k, head_kv, head, options);
      if (softmax.lse == -infinity) continue;
      // out = sum_j f_j p_j v_j, p = softmax(s): dp_j = f_j dout . v_j and ds_j = p_j (dp_j - sum_i p_i dp_i).
      dprobabilities.resize(seen.size());
      double mean = 0;
      for (std::size_t i = 0; i < seen.size(); ++i) {
        const double factor = dropout_factor(options.dropout, head, query, seen[i]);
        const double p = softmax.probabilities[i];
        add_scaled(factor * p, row(dout, query, head), row(dv, seen[i], 0), v.dim);
        dprobabilities[i] = factor == 0 ? 0 : factor * dot(row(dout, query, head), row(v, seen[i], head_kv), v.dim);
        mean += p * dprobabilities[i];
      }
      for (std::size_t i = 0; i < seen.size(); ++i) {
        double dlogit = softmax.probabilities[i] * (dprobabilities[i] - mean);
        if (options.softcap > 0) {
          const double slope = softmax.logits[i] / options.softcap;
          dlogit *= 1 - slope * slope;
        }
        add_scaled(options.scale * dlogit, row(k, seen[i], head_kv), row(result.dq, query, head), k.dim);
        add_scaled(options.scale * dlogit, row(q, query, head), row(dk, seen[i], 0), k.dim);
      }
      for (std::int64_t s = 0; s < sinks; ++s) {
        result.dsink(head, s) -= std::exp(options.sink(head, s) - softmax.lse) * mean;
      }
    }
    head_dk[static_cast<std::size_t>(head)] = std::move(dk);
    head_dv[static_cast<std::size_t>(head)] = std::move(dv);
  });
  for (std::int64_t head = 0; head < q.heads; ++head) {
    for (std::int64_t key = 0; key < k.rows; ++key) {
      add_scaled(1, row(head_dk[static_cast<std::size_t>(head)], key, 0), row(result.dk, key, head / group), k.dim);
      add_scaled(1, row(head_dv[static_cast<std::size_t>(head)], key, 0), row(result.dv, key, head / group), v.dim);
    }
  }
  return result;
}

}  // namespace caesura::reference
