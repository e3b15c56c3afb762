// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/placement_advice.hpp>
#include <caesura/error.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace caesura::comm {

namespace {

/// A core that may be used: where it is, and the unit that stands for it.
struct UsableCore {
  int package = 0;
  int numa_node = 0;
  int unit = 0;
};
using Cores = std::span<const UsableCore>;

std::vector<UsableCore> usable_cores(const HostTopology& machine) {
  std::vector<UsableCore> result;
  for (const HostCore& core : machine.cores) {
    const auto unit = std::find_if(core.units.begin(), core.units.end(), [&](int candidate) {
      return std::binary_search(machine.allowed_units.begin(), machine.allowed_units.end(), candidate);
    });
    if (unit != core.units.end()) result.push_back({core.package, core.numa_node, *unit});
  }
  if (result.empty()) result.push_back({});
  return result;
}

/// Cores stand in the order of packages and NUMA nodes.
std::vector<Cores> by_numa_node(Cores cores) {
  std::vector<Cores> result;
  for (std::size_t begin = 0; begin < cores.size();) {
    std::size_t end = begin;
    while (end < cores.size() && cores[end].numa_node == cores[begin].numa_node) ++end;
    result.push_back(cores.subspan(begin, end - begin));
    begin = end;
  }
  return result;
}

/// Cuts cores into equal parts, as far as it goes; more parts than cores share them.
void cut(Cores cores, std::size_t parts, std::vector<Cores>& result) {
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t begin = part * cores.size() / parts;
    const std::size_t end = std::max(begin + 1, (part + 1) * cores.size() / parts);
    result.push_back(cores.subspan(begin, end - begin));
  }
}

/// How many of the ranks go to each NUMA node: each gets one, the others go where most cores are left for one.
std::vector<std::size_t> ranks_of_nodes(const std::vector<Cores>& nodes, std::size_t ranks) {
  std::vector<std::size_t> count(nodes.size(), 1);
  for (std::size_t given = nodes.size(); given < ranks; ++given) {
    std::size_t best = 0;
    for (std::size_t node = 1; node < nodes.size(); ++node) {
      if (nodes[node].size() * (count[best] + 1) > nodes[best].size() * (count[node] + 1)) best = node;
    }
    ++count[best];
  }
  return count;
}

std::vector<Cores> shares(Cores cores, std::size_t ranks) {
  const std::vector<Cores> nodes = by_numa_node(cores);
  std::vector<Cores> result;
  if (ranks >= nodes.size()) {
    const std::vector<std::size_t> count = ranks_of_nodes(nodes, ranks);
    for (std::size_t node = 0; node < nodes.size(); ++node) cut(nodes[node], count[node], result);
  } else if (nodes.size() % ranks == 0) {  // whole NUMA nodes
    const std::size_t each = nodes.size() / ranks;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const UsableCore* begin = nodes[rank * each].data();
      const UsableCore* end = nodes[(rank + 1) * each - 1].data() + nodes[(rank + 1) * each - 1].size();
      result.push_back({begin, end});
    }
  } else {
    cut(cores, ranks, result);
  }
  return result;
}

template <class Values>
std::string joined(const Values& values, const char* between) {
  std::string result;
  for (const auto& value : values) result += caesura::text(result.empty() ? "" : between, value);
  return result;
}

/// "0-3,8", as the operating system and taskset write it.
std::string ranges(std::vector<int> units) {
  std::sort(units.begin(), units.end());
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < units.size();) {
    std::size_t last = i;
    while (last + 1 < units.size() && units[last + 1] == units[last] + 1) ++last;
    parts.push_back(last == i ? std::to_string(units[i]) : caesura::text(units[i], "-", units[last]));
    i = last + 1;
  }
  return joined(parts, ",");
}

void add_launcher_options(PlacementAdvice& advice, std::size_t nodes, bool crowded) {
  const std::size_t ranks = advice.ranks.size();
  if (crowded) {
    advice.open_mpi = text("--map-by ppr:", ranks, ":node --oversubscribe --bind-to none");
    advice.mpich = text("-ppn ", ranks);
    return;
  }
  // Open MPI takes cores in its own order, which is the same where NUMA nodes get equally many ranks.
  advice.open_mpi = ranks % nodes == 0
                        ? text("--map-by ppr:", ranks / nodes, ":numa:pe=", advice.threads, " --bind-to core")
                        : text("--map-by ppr:", ranks, ":node:pe=", advice.threads, " --bind-to core");
  std::vector<std::string> sets;
  for (const RankCores& rank : advice.ranks) sets.push_back(joined(rank.units, "+"));
  advice.mpich = text("-ppn ", ranks, " -bind-to user:", joined(sets, ","));
}

}  // namespace

PlacementAdvice placement_advice(const HostTopology& machine, int ranks) {
  require(ranks >= 0, [&] { return text("placement_advice: ranks = ", ranks, ": must not be negative"); });
  const std::vector<UsableCore> cores = usable_cores(machine);
  const std::size_t nodes = by_numa_node(cores).size();
  const std::size_t count = ranks > 0 ? static_cast<std::size_t>(ranks) : nodes;
  const bool crowded = count > cores.size();

  PlacementAdvice advice;
  const std::vector<Cores> parts = shares(cores, count);
  std::size_t threads = cores.size();
  for (const Cores part : parts) threads = std::min(threads, part.size());
  if (machine.allowed_processors > 0) {
    const auto granted = static_cast<std::size_t>(machine.allowed_processors / static_cast<double>(count));
    if (granted < threads) {
      threads = std::max<std::size_t>(1, granted);
      advice.notes.push_back(text("control groups grant ", machine.allowed_processors, " processors of ",
                                  machine.allowed_units.size(), ": more threads would be held up"));
    }
  }
  advice.threads = static_cast<int>(threads);
  for (const Cores part : parts) {
    const Cores own = part.first(threads);
    const auto same = [&](int UsableCore::*member) {
      const bool one = std::all_of(own.begin(), own.end(),
                                   [&](const UsableCore& core) { return core.*member == own.front().*member; });
      return one ? own.front().*member : -1;
    };
    RankCores& rank = advice.ranks.emplace_back();
    for (const UsableCore& core : own) rank.units.push_back(core.unit);
    rank.package = same(&UsableCore::package);
    rank.numa_node = same(&UsableCore::numa_node);
  }
  advice.environment = {{"OMP_NUM_THREADS", std::to_string(threads)},
                        {"OMP_PROC_BIND", crowded ? "false" : "close"},
                        {"OMP_PLACES", "cores"}};
  add_launcher_options(advice, nodes, crowded);
  if (crowded) advice.notes.push_back(text(count, " ranks share ", cores.size(), " cores: they take turns"));
  if (const std::size_t idle = cores.size() - std::min(cores.size(), threads * count); idle > 0)
    advice.notes.push_back(text(idle, idle == 1 ? " core stays" : " cores stay", " idle"));
  const auto straddling =
      std::count_if(advice.ranks.begin(), advice.ranks.end(), [](const RankCores& rank) { return rank.numa_node < 0; });
  if (straddling > 0 && count < nodes)
    advice.notes.push_back(text("ranks span NUMA nodes: one rank for each of the ", nodes, " keeps memory near"));
  return advice;
}

std::string PlacementAdvice::text() const {
  std::string result = caesura::text(ranks.size(), ranks.size() == 1 ? " rank of " : " ranks of ", threads,
                                     threads == 1 ? " thread\n" : " threads\n");
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto place = [](const char* name, int number) {
      return number < 0 ? caesura::text(", several ", name, "s") : caesura::text(", ", name, " ", number);
    };
    result += caesura::text("  local rank ", rank, ": units ", ranges(ranks[rank].units),
                            place("package", ranks[rank].package), place("NUMA node", ranks[rank].numa_node), "\n");
  }
  result += "environment:";
  for (const auto& [variable, value] : environment) result += caesura::text(" ", variable, "=", value);
  result += "\nOpen MPI: mpirun " + open_mpi + "\nMPICH: mpiexec " + mpich + "\n";
  for (const std::string& note : notes) result += "note: " + note + "\n";
  return result;
}

}  // namespace caesura::comm
