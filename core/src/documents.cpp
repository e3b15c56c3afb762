// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/documents.hpp>
#include <caesura/error.hpp>

#include <limits>
#include <string>

namespace caesura {

namespace {

/// The error `function: name[i] = value: rule`.
std::string entry(const char* function, const char* name, std::size_t i, std::int64_t value, const std::string& rule) {
  return text(function, ": ", name, "[", i, "] = ", value, ": ", rule);
}

std::vector<std::int64_t> offsets_of(std::span<const std::int64_t> lengths, const char* function, const char* name) {
  std::vector<std::int64_t> offsets = {0};
  offsets.reserve(lengths.size() + 1);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    require(lengths[i] >= 0, [&] { return entry(function, name, i, lengths[i], "a length must not be negative"); });
    require(lengths[i] <= max_tokens - offsets.back(), [&] {
      return entry(function, name, i, lengths[i],
                   text("with the ", offsets.back(), " tokens before it, more than ", max_tokens, " tokens in all"));
    });
    offsets.push_back(offsets.back() + lengths[i]);
  }
  return offsets;
}

enum class Start { zero, anywhere };

void check_offsets(std::span<const std::int64_t> offsets, const char* function, const char* name, Start start) {
  require(!offsets.empty(), [&] { return text(function, ": ", name, " has no entries: must have (documents + 1)"); });
  if (start == Start::zero) {
    require(offsets[0] == 0, [&] { return entry(function, name, 0, offsets[0], "must start at 0"); });
  } else {
    require(offsets[0] >= 0, [&] { return entry(function, name, 0, offsets[0], "must not be negative"); });
  }
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    require(offsets[i] >= offsets[i - 1], [&] {
      return entry(function, name, i, offsets[i], text("must not be below the entry before it, ", offsets[i - 1]));
    });
  }
  require(offsets.back() <= max_tokens, [&] {
    return entry(function, name, offsets.size() - 1, offsets.back(), text("more than ", max_tokens, " tokens"));
  });
}

void require_equal_counts(std::size_t a, std::size_t b, const char* function, const char* name_a, const char* name_b) {
  require(a == b,
          [&] { return text(function, ": ", name_b, " has ", b, " entries: must have as many as ", name_a, ", ", a); });
}

/// The ranges of one side: lengths from \p offsets, starts from \p padded.
std::vector<Range> ranges_of(std::span<const std::int64_t> offsets, std::span<const std::int64_t> padded,
                             const char* function, const char* name) {
  std::vector<Range> ranges;
  ranges.reserve(offsets.size() - 1);
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const std::int64_t length = offsets[i + 1] - offsets[i];
    require(length <= padded[i + 1] - padded[i], [&] {
      return entry(function, name, i + 1, padded[i + 1],
                   text("document ", i, " has ", length, " tokens from ", padded[i], " on and does not fit before it"));
    });
    ranges.push_back({padded[i], padded[i] + length});
  }
  return ranges;
}

std::vector<Document> zip(const std::vector<Range>& q, const std::vector<Range>& k) {
  std::vector<Document> documents;
  documents.reserve(q.size());
  for (std::size_t i = 0; i < q.size(); ++i) documents.push_back({q[i], k[i]});
  return documents;
}

std::vector<std::int64_t> widen(std::span<const std::int32_t> values) { return {values.begin(), values.end()}; }

}  // namespace

Documents Documents::from_lengths(std::span<const std::int64_t> lengths) {
  const auto offsets = offsets_of(lengths, "Documents::from_lengths", "lengths");
  const auto ranges = ranges_of(offsets, offsets, "Documents::from_lengths", "lengths");
  return {zip(ranges, ranges), offsets.back(), offsets.back()};
}

Documents Documents::from_lengths(std::initializer_list<std::int64_t> lengths) {
  return from_lengths(std::span<const std::int64_t>(lengths.begin(), lengths.size()));
}

Documents Documents::from_lengths(std::span<const std::int64_t> lengths_q, std::span<const std::int64_t> lengths_k) {
  constexpr const char* function = "Documents::from_lengths";
  require_equal_counts(lengths_q.size(), lengths_k.size(), function, "lengths_q", "lengths_k");
  const auto offsets_q = offsets_of(lengths_q, function, "lengths_q");
  const auto offsets_k = offsets_of(lengths_k, function, "lengths_k");
  return {zip(ranges_of(offsets_q, offsets_q, function, "lengths_q"),
              ranges_of(offsets_k, offsets_k, function, "lengths_k")),
          offsets_q.back(), offsets_k.back()};
}

Documents Documents::from_cu_seqlens(std::span<const std::int32_t> cu_seqlens, std::int64_t total) {
  return from_cu_seqlens(std::span<const std::int64_t>(widen(cu_seqlens)), total);
}

Documents Documents::from_cu_seqlens(std::span<const std::int64_t> cu_seqlens, std::int64_t total) {
  constexpr const char* function = "Documents::from_cu_seqlens";
  check_offsets(cu_seqlens, function, "cu_seqlens", Start::zero);
  require(total >= -1 && total <= max_tokens, [&] {
    return text(function, ": total = ", total, ": must lie in [0, ", max_tokens, "], or be -1 for the last offset");
  });
  require(total == -1 || cu_seqlens.back() <= total, [&] {
    return entry(function, "cu_seqlens", cu_seqlens.size() - 1, cu_seqlens.back(),
                 text("passes the end, total = ", total));
  });
  const auto ranges = ranges_of(cu_seqlens, cu_seqlens, function, "cu_seqlens");
  const std::int64_t tokens = total == -1 ? cu_seqlens.back() : total;
  return {zip(ranges, ranges), tokens, tokens};
}

Documents Documents::from_cu_seqlens(std::span<const std::int64_t> cu_seqlens_q,
                                     std::span<const std::int64_t> cu_seqlens_k) {
  constexpr const char* function = "Documents::from_cu_seqlens";
  check_offsets(cu_seqlens_q, function, "cu_seqlens_q", Start::zero);
  check_offsets(cu_seqlens_k, function, "cu_seqlens_k", Start::zero);
  require_equal_counts(cu_seqlens_q.size(), cu_seqlens_k.size(), function, "cu_seqlens_q", "cu_seqlens_k");
  return {zip(ranges_of(cu_seqlens_q, cu_seqlens_q, function, "cu_seqlens_q"),
              ranges_of(cu_seqlens_k, cu_seqlens_k, function, "cu_seqlens_k")),
          cu_seqlens_q.back(), cu_seqlens_k.back()};
}

Documents Documents::from_padded(std::span<const std::int64_t> cu_seqlens,
                                 std::span<const std::int64_t> cu_seqlens_padded) {
  constexpr const char* function = "Documents::from_padded";
  check_offsets(cu_seqlens, function, "cu_seqlens", Start::zero);
  check_offsets(cu_seqlens_padded, function, "cu_seqlens_padded", Start::anywhere);
  require_equal_counts(cu_seqlens.size(), cu_seqlens_padded.size(), function, "cu_seqlens", "cu_seqlens_padded");
  const auto ranges = ranges_of(cu_seqlens, cu_seqlens_padded, function, "cu_seqlens_padded");
  return {zip(ranges, ranges), cu_seqlens_padded.back(), cu_seqlens_padded.back()};
}

Documents Documents::from_padded(std::span<const std::int64_t> cu_seqlens_q,
                                 std::span<const std::int64_t> cu_seqlens_q_padded,
                                 std::span<const std::int64_t> cu_seqlens_k,
                                 std::span<const std::int64_t> cu_seqlens_k_padded) {
  constexpr const char* function = "Documents::from_padded";
  check_offsets(cu_seqlens_q, function, "cu_seqlens_q", Start::zero);
  check_offsets(cu_seqlens_k, function, "cu_seqlens_k", Start::zero);
  check_offsets(cu_seqlens_q_padded, function, "cu_seqlens_q_padded", Start::anywhere);
  check_offsets(cu_seqlens_k_padded, function, "cu_seqlens_k_padded", Start::anywhere);
  require_equal_counts(cu_seqlens_q.size(), cu_seqlens_k.size(), function, "cu_seqlens_q", "cu_seqlens_k");
  require_equal_counts(cu_seqlens_q.size(), cu_seqlens_q_padded.size(), function, "cu_seqlens_q",
                       "cu_seqlens_q_padded");
  require_equal_counts(cu_seqlens_k.size(), cu_seqlens_k_padded.size(), function, "cu_seqlens_k",
                       "cu_seqlens_k_padded");
  const auto ranges_q = ranges_of(cu_seqlens_q, cu_seqlens_q_padded, function, "cu_seqlens_q_padded");
  const auto ranges_k = ranges_of(cu_seqlens_k, cu_seqlens_k_padded, function, "cu_seqlens_k_padded");
  return {zip(ranges_q, ranges_k), cu_seqlens_q_padded.back(), cu_seqlens_k_padded.back()};
}

Documents Documents::from_batch(std::span<const std::int32_t> cu_seqlens, std::int64_t batch, std::int64_t seq) {
  constexpr const char* function = "Documents::from_batch";
  require(batch >= 1, [&] { return text(function, ": batch = ", batch, ": must be at least 1"); });
  require(seq >= 0 && seq <= max_tokens / batch, [&] {
    return text(function, ": seq = ", seq, ": must lie in [0, ", max_tokens / batch, "] for batch = ", batch);
  });
  const auto rows = static_cast<std::size_t>(batch);
  require(!cu_seqlens.empty() && cu_seqlens.size() % rows == 0, [&] {
    return text(function, ": cu_seqlens has ", cu_seqlens.size(),
                " entries: must be (batch, max_docs + 1) with batch = ", batch);
  });
  const std::size_t width = cu_seqlens.size() / rows;
  std::vector<Document> documents;
  documents.reserve(rows * (width - 1));
  for (std::size_t b = 0; b < rows; ++b) {
    const auto offsets = widen(cu_seqlens.subspan(b * width, width));
    const std::string name = text("cu_seqlens[", b, "]");
    check_offsets(offsets, function, name.c_str(), Start::zero);
    require(offsets.back() <= seq, [&] {
      return entry(function, name.c_str(), width - 1, offsets.back(), text("passes the end, seq = ", seq));
    });
    const std::int64_t base = static_cast<std::int64_t>(b) * seq;
    for (const Range& range : ranges_of(offsets, offsets, function, name.c_str())) {
      const Range flat{base + range.begin, base + range.end};
      documents.push_back({flat, flat});
    }
  }
  return {std::move(documents), batch * seq, batch * seq};
}

std::vector<std::int32_t> cu_seqlens_int32(std::span<const std::int64_t> lengths) {
  constexpr const char* function = "cu_seqlens_int32";
  const auto offsets = offsets_of(lengths, function, "lengths");
  require(offsets.back() <= std::numeric_limits<std::int32_t>::max(), [&] {
    return text(function, ": lengths sum to ", offsets.back(), ": int32 offsets end at 2147483647; use int64 offsets");
  });
  return {offsets.begin(), offsets.end()};
}

}  // namespace caesura
