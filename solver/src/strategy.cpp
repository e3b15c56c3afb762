// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "strategy/cost.hpp"
#include "strategy/units.hpp"
#include <caesura/error.hpp>
#include <caesura/solver/strategy.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace caesura::solver {

namespace {

using impl::Parts;
using Shardings = std::vector<Sharding>;

constexpr std::array all_shardings = {Sharding::batch, Sharding::heads, Sharding::context, Sharding::replicate};
constexpr std::size_t most_axes = 6;

/// A candidate on its way to the table.
struct Entry {
  StrategyCandidate candidate;
  Parts parts;
  std::size_t place = 0;  ///< in the order of equals
};

std::string shown(const Shardings& shardings) {
  std::string result;
  for (const Sharding sharding : shardings) result += text(result.empty() ? "(" : ", ", name_of(sharding));
  return result + ")";
}

/// Why \p parts cannot be; empty if they can.
std::string misfit(const Mask& mask, const Parts& parts, const StrategyOptions& options) {
  const auto divides = [](const char* name, std::int64_t value, std::int64_t by) {
    return value % by == 0 ? "" : text(name, " = ", value, " is not a multiple of ", by, ".");
  };
  if (std::string why = divides("batch", options.batch, parts.batch); !why.empty()) return why;
  if (std::string why = divides("heads_q", options.plan.layer.heads_q, parts.heads); !why.empty()) return why;
  if (std::string why = divides("heads_kv", options.plan.layer.heads_kv, parts.heads); !why.empty()) return why;
  if (parts.batch == 1) return "";
  const std::int64_t rows_q = mask.total_q() / parts.batch, rows_k = mask.total_k() / parts.batch;
  for (const BandSlice& slice : mask.slices()) {
    const std::int64_t part = slice.q_begin / rows_q;
    if ((slice.q_end - 1) / rows_q == part && slice.k_begin / rows_k == part && (slice.k_end - 1) / rows_k == part)
      continue;
    return text("Queries [", slice.q_begin, ", ", slice.q_end, ") see keys [", slice.k_begin, ", ", slice.k_end,
                ") of another part of the batch.");
  }
  return "";
}

/// Every assignment, those first that come first among equals.
std::vector<Entry> all_entries(const Mesh& mesh) {
  std::vector<Shardings> lists = {{}};
  for (const MeshAxis& axis : mesh.axes) {
    std::vector<Shardings> longer;
    for (const Shardings& list : lists) {
      for (const Sharding sharding : all_shardings) {
        if (axis.size == 1 && sharding != Sharding::replicate) continue;
        longer.push_back(list);
        longer.back().push_back(sharding);
      }
    }
    lists = std::move(longer);
  }
  // Axes that share a sharding with another one. With rows of different lengths, a mix has less to even out.
  const auto repeats = [&](const Shardings& list) {
    std::ptrdiff_t result = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (mesh.axes[i].size > 1)
        result += std::count(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(i), list[i]);
    }
    return result;
  };
  std::stable_sort(lists.begin(), lists.end(),
                   [&](const Shardings& a, const Shardings& b) { return repeats(a) < repeats(b); });
  std::vector<Entry> entries;
  for (Shardings& list : lists) {
    const Parts parts = impl::parts_of(list, mesh);
    entries.push_back({{.shardings = std::move(list), .cost = {}, .reason = {}}, parts, entries.size()});
  }
  return entries;
}

/// Times that differ in their last bits alone are equal.
bool faster(double a, double b) { return a < b * (1 - 1e-9); }

/// Gives every loser its reason and moves the winner to the front.
void choose(std::vector<Entry*> field) {
  const auto cost = [](const Entry* entry) -> const StrategyCost& { return *entry->candidate.cost; };
  const auto drop = [&](const auto& reason_of) {
    std::erase_if(field, [&](Entry* entry) { return !(entry->candidate.reason = reason_of(entry)).empty(); });
  };

  // A rank that repeats the work of another one moves nothing: that alone must not make it the best.
  std::map<std::int64_t, const Entry*> fastest;  // by replicas
  for (const Entry* entry : field) {
    const Entry*& best = fastest[entry->parts.replicas];
    if (!best || faster(cost(entry).seconds, cost(best).seconds)) best = entry;
  }
  drop([&](const Entry* entry) -> std::string {
    const Entry* best = nullptr;
    for (const auto& [replicas, other] : fastest) {
      if (replicas < entry->parts.replicas && (!best || cost(other).seconds < cost(best).seconds)) best = other;
    }
    if (!best || !faster(cost(best).seconds, cost(entry).seconds)) return "";
    return text("Repeats the work on ", entry->parts.replicas, " ranks and takes ",
                impl::shown_seconds(cost(entry).seconds), "; ", shown(best->candidate.shardings), " takes ",
                impl::shown_seconds(cost(best).seconds), ".");
  });

  const auto by_bytes = [&](const Entry* a, const Entry* b) { return cost(a).bytes < cost(b).bytes; };
  const std::int64_t bytes = cost(*std::min_element(field.begin(), field.end(), by_bytes)).bytes;
  std::vector<Entry*> more;
  std::erase_if(field, [&](Entry* entry) { return cost(entry).bytes > bytes && (more.push_back(entry), true); });
  const auto by_time = [&](const Entry* a, const Entry* b) { return cost(a).seconds < cost(b).seconds; };
  const double seconds = cost(*std::min_element(field.begin(), field.end(), by_time)).seconds;
  std::vector<Entry*> slower;
  std::erase_if(field,
                [&](Entry* entry) { return faster(seconds, cost(entry).seconds) && (slower.push_back(entry), true); });

  const std::string winner = shown(field.front()->candidate.shardings);
  for (Entry* entry : more) {
    entry->candidate.reason = text("Moves ", impl::shown_bytes(cost(entry).bytes), " a rank; ", winner, " moves ",
                                   impl::shown_bytes(bytes), ".");
  }
  for (Entry* entry : slower) {
    entry->candidate.reason = text("Takes ", impl::shown_seconds(cost(entry).seconds), "; ", winner, " takes ",
                                   impl::shown_seconds(seconds), ".");
  }
  const bool equals = field.size() > 1;
  for (Entry* entry : field)
    entry->candidate.reason = text("No better than ", winner, ", which comes first among equals.");
  const char* why = !more.empty() && !slower.empty() ? "moves the fewest bytes, then takes the least time"
                    : !more.empty()                  ? "moves the fewest bytes"
                    : !slower.empty()                ? "takes the least time"
                    : equals                         ? "comes first among equals"
                                                     : "no other can be, fits and repeats no work";
  field.front()->candidate.reason = text("Chosen: ", why, ".");
  field.front()->place = 0;
}

}  // namespace

std::int64_t Mesh::ranks() const {
  std::int64_t ranks = 1;
  for (const MeshAxis& axis : axes) ranks *= axis.size;
  return ranks;
}

void Mesh::validate(const char* function) const {
  require(!axes.empty() && axes.size() <= most_axes,
          [&] { return text(function, ": mesh has ", axes.size(), " axes: must have 1 to ", most_axes); });
  std::set<std::string> names;
  std::int64_t ranks = 1;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const MeshAxis& axis = axes[i];
    require(!axis.name.empty(), [&] { return text(function, ": axes[", i, "].name: must not be empty"); });
    require(names.insert(axis.name).second,
            [&] { return text(function, ": axes[", i, "].name = ", axis.name, ": must not stand twice"); });
    const auto check = [&](bool ok, const char* what, auto value, const char* rule) {
      require(ok, [&] { return text(function, ": ", axis.name, ".", what, " = ", value, ": ", rule); });
    };
    check(axis.size >= 1, "size", axis.size, "must be at least 1");
    ranks *= axis.size;
    check(ranks <= std::numeric_limits<std::int32_t>::max(), "size", axis.size, "makes more than 2147483647 ranks");
    const double rate = axis.link.bytes_per_second, latency = axis.link.latency_seconds;
    check(std::isfinite(rate) && rate > 0, "link.bytes_per_second", rate, "must be finite and positive");
    check(std::isfinite(latency) && latency >= 0, "link.latency_seconds", latency, "must be finite and not negative");
  }
}

Strategy choose_strategy(const Mask& mask, const Mesh& mesh, const StrategyOptions& options) {
  constexpr const char* function = "choose_strategy";
  mesh.validate(function);
  options.plan.validate(function);
  Cluster{.compute = options.compute}.validate(function);
  require(options.memory_limit >= 0, [&] {
    return text(function, ": memory_limit = ", options.memory_limit, ": must be 0 (none) or more bytes");
  });
  require(options.batch >= 1, [&] { return text(function, ": batch = ", options.batch, ": must be at least 1"); });
  require(mask.total_q() % options.batch == 0 && mask.total_k() % options.batch == 0, [&] {
    return text(function, ": batch = ", options.batch, ": must divide the mask's totals, ", mask.total_q(), " and ",
                mask.total_k());
  });
  require(!mask.slices().empty(),
          [&] { return text(function, ": mask: has no visible pair, must have at least one"); });

  std::vector<Entry> entries = all_entries(mesh);
  impl::StrategyCosts costs(mask, options);
  std::vector<Entry*> field;
  const Entry* smallest = nullptr;
  for (Entry& entry : entries) {
    StrategyCandidate& candidate = entry.candidate;
    candidate.reason = misfit(mask, entry.parts, options);
    if (!candidate.reason.empty()) continue;
    candidate.cost = costs(entry.parts);
    if (!smallest || candidate.cost->memory < smallest->candidate.cost->memory) smallest = &entry;
    if (options.memory_limit == 0 || candidate.cost->memory <= options.memory_limit) {
      field.push_back(&entry);
    } else {
      candidate.reason = text("Needs ", impl::shown_bytes(candidate.cost->memory), " a rank; the limit is ",
                              impl::shown_bytes(options.memory_limit), ".");
    }
  }
  require(
      !field.empty(),
      [&] {
        return text(function, ": memory_limit = ", options.memory_limit, ": must be at least ",
                    smallest->candidate.cost->memory, " bytes a rank, what the smallest candidate, ",
                    shown(smallest->candidate.shardings), ", needs");
      },
      ErrorKind::resources);
  for (Entry& entry : entries) ++entry.place;  // 0 is the winner's
  choose(std::move(field));

  // Equal costs stay in the order of preference.
  const auto rank_of = [](const Entry& entry) {
    const auto& cost = entry.candidate.cost;
    return std::tuple(entry.place != 0, !cost.has_value(), cost ? cost->bytes : 0, cost ? cost->seconds : 0,
                      entry.place);
  };
  std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) { return rank_of(a) < rank_of(b); });
  Strategy strategy;
  for (Entry& entry : entries) strategy.candidates.push_back(std::move(entry.candidate));
  return strategy;
}

}  // namespace caesura::solver
