// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/distributed/kv_buffer.hpp>

#include <algorithm>

namespace caesura {

MicroSequence micro_sequence(const Mask& mask, Range queries) {
  require(queries.begin >= 0 && queries.begin <= queries.end && queries.end <= mask.total_q(), [&] {
    return text("micro_sequence: queries = [", queries.begin, ", ", queries.end, "): must lie in [0, ", mask.total_q(),
                ")");
  });
  const Mask part = mask.restricted(queries, {0, mask.total_k()});
  Range keys{mask.total_k(), 0};
  for (const BandSlice& slice : part.slices()) {
    keys = {std::min(keys.begin, slice.k_begin), std::max(keys.end, slice.k_end)};
  }
  if (part.slices().empty()) keys = {0, 0};
  return {queries, keys, part.shifted(-queries.begin, -keys.begin, queries.size(), keys.size())};
}

}  // namespace caesura
