// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/plan_hash.hpp"

#include <array>
#include <bit>

namespace caesura::solver::impl {

namespace {

/// Words in, one word out: four rotate-and-multiply chains side by side, so that a word does not wait for the last one, and the
/// finish of splitmix64 (Steele, Lea & Flood 2014).
class Hash {
 public:
  void add(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    mix(0, a);
    mix(1, b);
    mix(2, c);
    mix(3, d);
  }
  std::uint64_t finish() const {
    std::uint64_t result = 0;
    for (const std::uint64_t lane : lanes_) {
      result = (std::rotl(result, 23) ^ lane) * 0xbf58476d1ce4e5b9;
      result = (result ^ (result >> 30)) * 0xbf58476d1ce4e5b9;
      result = (result ^ (result >> 27)) * 0x94d049bb133111eb;
      result ^= result >> 31;
    }
    return result;
  }

 private:
  void mix(std::size_t lane, std::uint64_t value) {
    lanes_[lane] = (std::rotl(lanes_[lane], 23) ^ value) * 0xbf58476d1ce4e5b9;
  }
  std::array<std::uint64_t, 4> lanes_ = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9,
                                         0x27d4eb2f165667c5};
};

std::uint64_t word(std::int64_t value) { return static_cast<std::uint64_t>(value); }
std::uint64_t word(double value) { return value == 0 ? 0 : std::bit_cast<std::uint64_t>(value); }  // -0 equals 0
template <class Enum>
  requires std::is_enum_v<Enum>
std::uint64_t word(Enum value) {
  return static_cast<std::uint64_t>(value);
}
std::uint64_t word(std::int32_t high, std::int32_t low) {
  return std::uint64_t{static_cast<std::uint32_t>(high)} << 32 | static_cast<std::uint32_t>(low);
}

void add(Hash& hash, const Cluster& cluster) {
  const ComputeRates& compute = cluster.compute;
  hash.add(word(cluster.ranks, cluster.ranks_per_node), word(compute.tile.rows, compute.tile.keys),
           word(compute.forward_flops), word(compute.backward_flops));
  hash.add(word(cluster.within_node.bytes_per_second), word(cluster.within_node.latency_seconds),
           word(cluster.across_nodes.bytes_per_second), word(cluster.across_nodes.latency_seconds));
  hash.add(word(compute.pairs_per_row), word(compute.pairs_per_tile), word(compute.step_seconds), 0);
}

void add(Hash& hash, const Options& options) {
  const LayerShape& layer = options.layer;
  hash.add(word(options.dispatch), word(options.exchange), word(options.stages, layer.scalar_bytes),
           word(options.chunk));
  hash.add(word(options.token_slack), word(options.tolerance), word(options.top_p),
           word(layer.heads_q, layer.heads_kv));
  hash.add(word(layer.dim_qk, layer.dim_v), word(options.passes.forward), word(options.passes.backward), 0);
}

void add(Hash& hash, std::span<const OwnedRange> owned) {
  for (const OwnedRange& piece : owned)
    hash.add(word(piece.rows.begin), word(piece.rows.end), word(std::int64_t{piece.rank}), 0);
  hash.add(owned.size(), 0, 0, 1);
}

void add(Hash& hash, const Exchange& exchange) {
  for (const Stage& stage : exchange.stages()) {
    for (const Hop& hop : stage) {
      for (const Transfer& transfer : hop) {
        hash.add(word(transfer.source, transfer.target), word(transfer.payload), word(transfer.rows),
                 word(transfer.count));
        // Ranges that transfers share are read by each: it is their rows that count, not where they are kept.
        for (const Range range : exchange.ranges(transfer)) hash.add(word(range.begin), word(range.end), 0, 0);
      }
      hash.add(hop.size(), 0, 0, 2);
    }
    hash.add(stage.size(), 0, 0, 3);
  }
  hash.add(exchange.stages().size(), word(exchange.kind()), 0, 4);
}

}  // namespace

std::uint64_t plan_hash(const Mask& mask, const Cluster& cluster, const Options& options, const Placement& placement,
                        const Exchange& exchange) {
  Hash hash;
  hash.add(mask.fingerprint().low, mask.fingerprint().high, word(mask.total_q()), word(mask.total_k()));
  add(hash, cluster);
  add(hash, options);
  add(hash, placement.queries());
  if (!placement.together()) add(hash, placement.keys());
  add(hash, exchange);
  return hash.finish();
}

}  // namespace caesura::solver::impl
