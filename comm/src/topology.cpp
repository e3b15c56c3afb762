// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/transport.hpp"
#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/topology.hpp>
#include <caesura/error.hpp>
#include <caesura/host_topology.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>
#include <tuple>

namespace caesura::comm {

namespace {

/// What a rank tells the others. Bytes, because it travels as a row.
struct Card {
  std::uint64_t host_key = 0;
  std::int32_t package = -1;
  std::int32_t numa_node = -1;
  std::int32_t cache = -1;
  std::array<char, 68> host = {};  // Linux allows 64 characters
};

Card own_card(const impl::Transport& transport) {
  // Read anew: a launcher or the program may have bound the process after the first look.
  const HostTopology machine = read_host_topology();
  Card card;
  // FNV-1a: the same on every machine and library, which std::hash need not be.
  card.host_key = 0xcbf29ce484222325u;
  for (const char letter : transport.host_key())
    card.host_key = (card.host_key ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
  card.package = machine.own_package();
  card.numa_node = machine.own_numa_node();
  card.cache = machine.own_cache();
  machine.host.copy(card.host.data(), card.host.size() - 1);
  return card;
}

template <class Space, class MemorySpace>
std::vector<Card> gather(const Communicator& communicator, const Card& own) {
  using Cards = Kokkos::View<Card*, MemorySpace>;
  const Space space;
  const auto ranks = static_cast<std::size_t>(communicator.size());
  const Cards all(Kokkos::view_alloc(Kokkos::WithoutInitializing, "caesura::comm::topology"), ranks);
  const Cards send(Kokkos::view_alloc(Kokkos::WithoutInitializing, "caesura::comm::topology"), 1);
  std::vector<Card> result(ranks);
  const Kokkos::View<const Card*, Kokkos::HostSpace, Kokkos::MemoryUnmanaged> from(&own, 1);
  Kokkos::deep_copy(space, send, from);
  all_gather(space, communicator, send, all).wait();
  Kokkos::deep_copy(space, Kokkos::View<Card*, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>(result.data(), ranks), all);
  space.fence("caesura::comm::topology");
  return result;
}

std::vector<Card> gather(const Communicator& communicator, const Card& own) {
#ifdef KOKKOS_ENABLE_CUDA
  if (!communicator.impl_transport()->takes_host_memory())
    return gather<Kokkos::Cuda, Kokkos::CudaSpace>(communicator, own);
#endif
  return gather<Kokkos::DefaultHostExecutionSpace, Kokkos::HostSpace>(communicator, own);
}

}  // namespace

Topology::Topology(std::vector<RankPlace> places) : places_(std::move(places)) {
  require(!places_.empty(), [] { return "Topology: places = {}: needs at least one rank"; });
  std::map<int, int> number;  // of a node, by the number it was given
  for (int rank = 0; rank < ranks(); ++rank) {
    RankPlace& place = places_[static_cast<std::size_t>(rank)];
    const auto [entry, is_new] = number.try_emplace(place.node, nodes());
    if (is_new) ranks_of_node_.emplace_back();
    place.node = entry->second;
    ranks_of_node_[static_cast<std::size_t>(place.node)].push_back(rank);
  }
  hosts_.resize(ranks_of_node_.size());
}

Topology::Topology(const Communicator& communicator) {
  const std::vector<Card> cards = gather(communicator, own_card(*communicator.impl_transport()));
  std::map<std::uint64_t, int> number;
  std::vector<RankPlace> places;
  for (const Card& card : cards) {
    const int node = number.try_emplace(card.host_key, static_cast<int>(number.size())).first->second;
    places.push_back({.node = node, .package = card.package, .numa_node = card.numa_node, .cache = card.cache});
  }
  *this = Topology(std::move(places));
  for (int node = 0; node < nodes(); ++node)
    hosts_[static_cast<std::size_t>(node)] = cards[static_cast<std::size_t>(leader(node))].host.data();
}

const RankPlace& Topology::place(int rank) const {
  require(rank >= 0 && rank < ranks(),
          [&] { return text("Topology: rank = ", rank, ": must be at least 0 and below ", ranks()); });
  return places_[static_cast<std::size_t>(rank)];
}

const std::vector<int>& Topology::ranks_of_node(int node) const {
  require(node >= 0 && node < nodes(),
          [&] { return text("Topology: node = ", node, ": must be at least 0 and below ", nodes()); });
  return ranks_of_node_[static_cast<std::size_t>(node)];
}

int Topology::local_rank(int rank) const {
  const std::vector<int>& all = ranks_of_node(node(rank));
  return static_cast<int>(std::lower_bound(all.begin(), all.end(), rank) - all.begin());
}

const std::string& Topology::host(int node) const {
  ranks_of_node(node);  // checks it
  return hosts_[static_cast<std::size_t>(node)];
}

int Topology::ranks_per_node() const {
  std::size_t most = 0;
  for (const std::vector<int>& all : ranks_of_node_) most = std::max(most, all.size());
  return static_cast<int>(most);
}

bool Topology::regular() const {
  const int most = ranks_per_node();
  if (ranks() != most * nodes()) return false;
  for (int rank = 0; rank < ranks(); ++rank) {
    if (node(rank) != rank / most) return false;
  }
  return true;
}

bool Topology::share_package(int a, int b) const {
  return share_node(a, b) && (a == b || (place(a).package >= 0 && place(a).package == place(b).package));
}

bool Topology::share_cache(int a, int b) const {
  return share_node(a, b) && (a == b || (place(a).cache >= 0 && place(a).cache == place(b).cache));
}

std::vector<int> Topology::ring_order() const {
  // A ring that visits each group once, at every level, leaves each of them once: fewer is not possible. Groups come
  // in the order of their first ranks, which is what begins with rank 0.
  using Group = std::tuple<int, int, int>;
  const auto group = [&](int rank, int levels) {
    const RankPlace& at = place(rank);
    return Group(at.node, levels > 1 ? at.package : 0, levels > 2 ? at.cache : 0);
  };
  std::map<Group, int> first[4];
  for (int rank = 0; rank < ranks(); ++rank) {
    for (int levels = 2; levels <= 3; ++levels) first[levels].try_emplace(group(rank, levels), rank);
  }
  std::vector<int> order(places_.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    const auto key = [&](int rank) {
      return std::tuple(node(rank), first[2].at(group(rank, 2)), first[3].at(group(rank, 3)), rank);
    };
    return key(a) < key(b);
  });
  return order;
}

}  // namespace caesura::comm
