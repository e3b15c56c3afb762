// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/mask.hpp>
#include <caesura/solver/cluster.hpp>
#include <caesura/solver/options.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace caesura::solver {

/// One dimension of a mesh of ranks: data, context or tensor parallel, or whatever the model calls it.
struct MeshAxis {
  std::string name;
  std::int32_t size = 1;
  Link link = {};  ///< between ranks that differ along this axis alone
  friend bool operator==(const MeshAxis&, const MeshAxis&) = default;
};

/// Ranks in a grid, slowest axis first.
struct Mesh {
  std::vector<MeshAxis> axes;

  std::int64_t ranks() const;
  /// \throws Error in the name of \p function: no axis or more than 6, one without name, size or rate, a name twice.
  void validate(const char* function) const;
  friend bool operator==(const Mesh&, const Mesh&) = default;
};

/// What the ranks along a mesh axis do with attention on `q, k, v, out (batch, seq, heads, dim)`,
/// `lse (batch, seq, heads)` and `cu_seqlens (batch, max_docs + 1)`.
enum class Sharding : std::uint8_t {
  batch,     ///< each has its part of the batch's rows, of `cu_seqlens` too
  heads,     ///< each has its part of the heads of q and of k, v: both counts must divide; `cu_seqlens` is replicated
  context,   ///< each has its part of the tokens, and asks the others for keys; `cu_seqlens` is replicated
  replicate  ///< all do the same
};

std::string_view name_of(Sharding sharding);
/// The dimension of q, k, v, out and lse that is cut; none for `replicate`.
std::optional<int> sharded_dimension(Sharding sharding);
/// The same of `cu_seqlens`: none but for `batch`.
std::optional<int> sharded_dimension_of_cu_seqlens(Sharding sharding);

/// What is to be run, and within which limits.
struct StrategyOptions {
  std::int64_t batch = 1;         ///< equally long rows, one behind the other in the mask (`Documents::from_batch`)
  std::int64_t memory_limit = 0;  ///< bytes a rank may hold for this layer; 0: no limit
  ComputeRates compute = {};
  Options plan = {};  ///< the layer, its passes, and how `context` deals tokens
};

/// What one assignment of shardings to axes costs the rank that it costs most.
struct StrategyCost {
  std::int64_t bytes = 0;   ///< received or sent in all passes, whichever is more
  double seconds = 0;       ///< max(compute, transfer)
  std::int64_t memory = 0;  ///< bytes of q, k, v, out, lse, of received rows, and with a backward of all gradients
  friend bool operator==(const StrategyCost&, const StrategyCost&) = default;
};

struct StrategyCandidate {
  std::vector<Sharding> shardings;   ///< one an axis
  std::optional<StrategyCost> cost;  ///< none where something does not divide
  std::string reason;                ///< a sentence: why it was chosen, or why not
};

struct Strategy {
  /// The chosen one first; then by bytes, then by time; last those that cannot be.
  std::vector<StrategyCandidate> candidates;

  const StrategyCandidate& chosen() const { return candidates.front(); }
};

/// Chooses what each axis of \p mesh does, among all assignments.
///
/// Of those that divide and fit into memory: whoever repeats work is out if something that repeats less is faster; then
/// the fewest bytes count, then the least time. Where all that is equal, different shardings on different axes come
/// before one sharding on several, and batch before heads before context, from the first axis on. An axis of size 1
/// replicates.
///
///     Mesh mesh = {{{"dp", 32}, {"tp", 8}}};
///     Strategy strategy = choose_strategy(mask, mesh, {.batch = 64});
///     strategy.chosen().shardings;  // batch, heads
///
/// \throws Error for an invalid mesh or option, a mask without visible pair, a batch that does not divide its tokens;
///         of kind `resources`, with the least that a candidate needs, where none fits.
/// At most 4^axes dispatches; assignments that come to the same one share it.
Strategy choose_strategy(const Mask& mask, const Mesh& mesh, const StrategyOptions& options = {});

/// The candidates as a text, one a line under a heading.
std::string table(const Strategy& strategy, const Mesh& mesh);

}  // namespace caesura::solver
