// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/document_rule.hpp"
#include <caesura/error.hpp>
#include <caesura/mask.hpp>

#include <algorithm>
#include <bit>
#include <iterator>
#include <set>

namespace caesura {

namespace {

std::string describe(const BandSlice& slice) {
  const std::string lo = slice.diagonal_lo > BandSlice::unbounded_lo ? text(slice.diagonal_lo, " <= ") : "";
  const std::string hi = slice.diagonal_hi < BandSlice::unbounded_hi ? text(" <= ", slice.diagonal_hi) : "";
  const std::string band = lo.empty() && hi.empty() ? "" : text(", ", lo, "k - q", hi);
  return text("{q [", slice.q_begin, ", ", slice.q_end, "), k [", slice.k_begin, ", ", slice.k_end, ")", band, "}");
}

void require_total(std::int64_t total, const char* function, const char* name) {
  require(total >= 0 && total <= max_tokens,
          [&] { return text(function, ": ", name, " = ", total, ": must lie in [0, ", max_tokens, "]"); });
}

bool before(const BandSlice& a, const BandSlice& b) {
  return a.q_begin != b.q_begin ? a.q_begin < b.q_begin : a.k_begin < b.k_begin;
}

void append_tight(std::vector<BandSlice>& slices, const BandSlice& slice) {
  const BandSlice tight = slice.tight();
  if (!tight.q().empty()) slices.push_back(tight);
}

/// Cuts \p range at the sorted \p positions inside it and calls \p visit with each piece.
template <class Visit>
void for_each_piece(Range range, std::span<const std::int64_t> positions, const Visit& visit) {
  auto next = std::upper_bound(positions.begin(), positions.end(), range.begin);
  for (; next != positions.end() && *next < range.end; ++next) {
    visit(Range{range.begin, *next});
    range.begin = *next;
  }
  visit(range);
}

std::vector<std::int64_t> sorted(std::span<const std::int64_t> positions) {
  std::vector<std::int64_t> result(positions.begin(), positions.end());
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

}  // namespace

namespace {

/// Two rotate-and-multiply chains with different odd constants, each finished by xor-shifts (as in splitmix64,
/// Steele, Lea & Flood 2014).
Fingerprint fingerprint_of(std::int64_t total_q, std::int64_t total_k, std::span<const BandSlice> slices) {
  std::uint64_t low = 0x9e3779b97f4a7c15;
  std::uint64_t high = 0xc2b2ae3d27d4eb4f;
  const auto add = [&](std::int64_t value) {
    low = (std::rotl(low, 23) ^ static_cast<std::uint64_t>(value)) * 0xbf58476d1ce4e5b9;
    high = (std::rotl(high, 29) + static_cast<std::uint64_t>(value)) * 0x94d049bb133111eb;
  };
  add(total_q);
  add(total_k);
  for (const BandSlice& slice : slices) {
    for (const std::int64_t value :
         {slice.q_begin, slice.q_end, slice.k_begin, slice.k_end, slice.diagonal_lo, slice.diagonal_hi})
      add(value);
  }
  const auto finished = [](std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  };
  return {finished(low), finished(high)};
}

}  // namespace

Mask::Mask(std::int64_t total_q, std::int64_t total_k, std::vector<BandSlice> slices)
    : total_q_(total_q), total_k_(total_k), slices_(std::move(slices)) {
  if (!std::is_sorted(slices_.begin(), slices_.end(), before)) std::sort(slices_.begin(), slices_.end(), before);
  fingerprint_ = fingerprint_of(total_q_, total_k_, slices_);
}

Mask Mask::from_documents(const Documents& documents, const DocumentMask& rule) {
  rule.validate("Mask::from_documents");
  std::vector<BandSlice> slices;
  slices.reserve(static_cast<std::size_t>(documents.count() * impl::parts_of(rule)));
  for (const Document& document : documents) {
    if (document.q.empty() || document.k.empty()) continue;
    if (rule.has_prefix_part()) append_tight(slices, impl::prefix_slice(document, rule));
    // Keys lie in chunks 0 to the last key's; queries of other chunks see nothing.
    const std::int64_t last_chunk = impl::chunk_of_key(document, rule, document.k.end - 1);
    for (std::int64_t chunk = 0; chunk <= last_chunk; ++chunk) {
      append_tight(slices, impl::main_slice(document, rule, chunk));
    }
  }
  return {documents.total_q(), documents.total_k(), std::move(slices)};
}

Mask Mask::from_slices(std::int64_t total_q, std::int64_t total_k, std::span<const BandSlice> slices) {
  constexpr const char* function = "Mask::from_slices";
  require_total(total_q, function, "total_q");
  require_total(total_k, function, "total_k");
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const BandSlice& slice = slices[i];
    require(slice.q_begin >= 0 && slice.q_begin <= slice.q_end && slice.q_end <= total_q && slice.k_begin >= 0 &&
                slice.k_begin <= slice.k_end && slice.k_end <= total_k,
            [&] {
              return text(function, ": slices[", i, "] = ", describe(slice), ": must be ranges inside q [0, ", total_q,
                          "), k [0, ", total_k, ")");
            });
    require(slice.diagonal_lo >= BandSlice::unbounded_lo && slice.diagonal_hi <= BandSlice::unbounded_hi, [&] {
      return text(function, ": slices[", i, "] = ", describe(slice),
                  ": a diagonal must lie in [BandSlice::unbounded_lo, BandSlice::unbounded_hi]");
    });
  }
  if (const auto overlap = find_overlap(slices)) {
    throw Error(ErrorKind::invalid_argument,
                text(function, ": slices[", overlap->first, "] = ", describe(slices[overlap->first]), " and slices[",
                     overlap->second, "] = ", describe(slices[overlap->second]),
                     " overlap: both contain the pair (q = ", overlap->query, ", k = ", overlap->key, ")"));
  }
  std::vector<BandSlice> kept;
  kept.reserve(slices.size());
  for (const BandSlice& slice : slices) append_tight(kept, slice);
  return {total_q, total_k, std::move(kept)};
}

Mask Mask::from_blocks(std::int64_t total_q, std::int64_t total_k, std::int64_t block_q, std::int64_t block_k,
                       std::span<const std::uint8_t> visible) {
  constexpr const char* function = "Mask::from_blocks";
  require_total(total_q, function, "total_q");
  require_total(total_k, function, "total_k");
  require(block_q >= 1, [&] { return text(function, ": block_q = ", block_q, ": must be at least 1"); });
  require(block_k >= 1, [&] { return text(function, ": block_k = ", block_k, ": must be at least 1"); });
  const std::int64_t rows = total_q / block_q + (total_q % block_q != 0);
  const std::int64_t columns = total_k / block_k + (total_k % block_k != 0);
  require(static_cast<std::int64_t>(visible.size()) == rows * columns, [&] {
    return text(function, ": visible has ", visible.size(), " entries: must be (", rows, ", ", columns, ")");
  });
  const auto limit = [](std::int64_t position, std::int64_t total) { return std::min(position, total); };
  std::vector<BandSlice> slices;
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto row = visible.subspan(static_cast<std::size_t>(i * columns), static_cast<std::size_t>(columns));
    for (std::int64_t j = 0; j < columns;) {
      if (!row[static_cast<std::size_t>(j)]) {
        ++j;
        continue;
      }
      // Neighbors become one slice, so that a row has as few intervals as possible.
      const std::int64_t first = j;
      while (j < columns && row[static_cast<std::size_t>(j)]) ++j;
      slices.push_back(BandSlice::full({i * block_q, limit((i + 1) * block_q, total_q)},
                                       {first * block_k, limit(j * block_k, total_k)}));
    }
  }
  return {total_q, total_k, std::move(slices)};
}

std::int64_t Mask::area() const {
  std::int64_t sum = 0;
  for (const BandSlice& slice : slices_) sum += slice.area();
  return sum;
}

bool Mask::visible(std::int64_t query, std::int64_t key) const {
  return std::any_of(slices_.begin(), slices_.end(), [&](const BandSlice& slice) { return slice.visible(query, key); });
}

Mask Mask::restricted(Range queries, Range keys) const {
  std::vector<BandSlice> kept;
  for (const BandSlice& slice : slices_) append_tight(kept, slice.restricted(queries, keys));
  return {total_q_, total_k_, std::move(kept)};
}

Mask Mask::cut_q(std::span<const std::int64_t> positions) const {
  const auto cuts = sorted(positions);
  std::vector<BandSlice> pieces;
  for (const BandSlice& slice : slices_) {
    for_each_piece(slice.q(), cuts, [&](Range q) { append_tight(pieces, slice.restricted(q, slice.k())); });
  }
  return {total_q_, total_k_, std::move(pieces)};
}

Mask Mask::cut_k(std::span<const std::int64_t> positions) const { return transposed().cut_q(positions).transposed(); }

Mask Mask::shifted(std::int64_t dq, std::int64_t dk, std::int64_t total_q, std::int64_t total_k) const {
  constexpr const char* function = "Mask::shifted";
  require_total(total_q, function, "total_q");
  require_total(total_k, function, "total_k");
  std::vector<BandSlice> moved;
  moved.reserve(slices_.size());
  for (const BandSlice& slice : slices_) {
    const BandSlice result = slice.shifted(dq, dk);
    require(result.q_begin >= 0 && result.q_end <= total_q && result.k_begin >= 0 && result.k_end <= total_k, [&] {
      return text(function, ": dq = ", dq, ", dk = ", dk, ": moves ", describe(slice), " out of q [0, ", total_q,
                  "), k [0, ", total_k, ")");
    });
    moved.push_back(result);
  }
  return {total_q, total_k, std::move(moved)};
}

Mask Mask::transposed() const {
  std::vector<BandSlice> exchanged;
  exchanged.reserve(slices_.size());
  for (const BandSlice& slice : slices_) exchanged.push_back(slice.transposed());
  return {total_k_, total_q_, std::move(exchanged)};
}

namespace {

/// The active slices of the sweep, by their first key at the sweep's query. As long as no two overlap, this order
/// does not change while both are active: intervals of a row are disjoint and move by at most one key a row.
class ActiveSlices {
 public:
  explicit ActiveSlices(std::span<const BandSlice> tight) : tight_(tight), set_(Order{&tight_, &query_}) {}

  /// The slice that \p index overlaps with, among its new neighbors; or its own index.
  std::size_t insert(std::size_t index) {
    query_ = tight_[index].q_begin;
    const auto [place, is_new] = set_.insert(index);
    if (!is_new) return *place;
    if (place != set_.begin() && overlap(*std::prev(place), index)) return *std::prev(place);
    if (const auto next = std::next(place); next != set_.end() && overlap(index, *next)) return *next;
    return index;
  }

  /// Removes \p index; returns the neighbors that meet and overlap, or a pair of equal indices.
  std::pair<std::size_t, std::size_t> erase(std::size_t index) {
    query_ = tight_[index].q_end - 1;
    const auto place = set_.find(index);
    std::pair<std::size_t, std::size_t> met{index, index};
    if (place != set_.begin() && std::next(place) != set_.end() && overlap(*std::prev(place), *std::next(place))) {
      met = {*std::prev(place), *std::next(place)};
    }
    set_.erase(place);
    return met;
  }

 private:
  struct Order {
    const std::span<const BandSlice>* slices;
    const std::int64_t* query;
    bool operator()(std::size_t a, std::size_t b) const {
      return (*slices)[a].keys_of(*query).begin < (*slices)[b].keys_of(*query).begin;
    }
  };

  bool overlap(std::size_t a, std::size_t b) const { return !intersect(tight_[a], tight_[b]).empty(); }

  std::span<const BandSlice> tight_;
  std::int64_t query_ = 0;
  std::set<std::size_t, Order> set_;
};

}  // namespace

std::optional<SliceOverlap> find_overlap(std::span<const BandSlice> slices) {
  std::vector<BandSlice> tight;
  tight.reserve(slices.size());
  for (const BandSlice& slice : slices) tight.push_back(slice.tight());

  // Removals come before insertions at the same query: ranges are half open.
  enum Kind { removal, insertion };
  struct Event {
    std::int64_t query;
    Kind kind;
    std::size_t index;
  };
  std::vector<Event> events;
  events.reserve(2 * tight.size());
  for (std::size_t i = 0; i < tight.size(); ++i) {
    if (tight[i].q().empty()) continue;
    events.push_back({tight[i].q_begin, insertion, i});
    events.push_back({tight[i].q_end, removal, i});
  }
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.query != b.query ? a.query < b.query : a.kind < b.kind; });

  const auto report = [&](std::size_t a, std::size_t b) {
    const BandSlice common = intersect(tight[a], tight[b]).tight();
    return SliceOverlap{std::min(a, b), std::max(a, b), common.q_begin, common.keys_of(common.q_begin).begin};
  };
  ActiveSlices active(tight);
  for (const Event& event : events) {
    if (event.kind == insertion) {
      const std::size_t other = active.insert(event.index);
      if (other != event.index) return report(event.index, other);
    } else {
      const auto [a, b] = active.erase(event.index);
      if (a != b) return report(a, b);
    }
  }
  return std::nullopt;
}

}  // namespace caesura
