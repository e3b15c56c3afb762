// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/exchange_lists.hpp"
#include "impl/group_splits.hpp"
#include "impl/region.hpp"
#include "impl/row_counts.hpp"
#include <caesura/comm/hierarchical_cast.hpp>
#include <caesura/comm/row_exchange.hpp>
#include <caesura/error.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace caesura::comm {

namespace {

using Numbers = std::vector<std::int64_t>;

/// Which of the ranks of one node a split enters at: who got least from this source so far. Sources begin with
/// different ones, so that many small casts do not all enter at the same.
int entry(const std::vector<int>& candidates, std::map<int, std::int64_t>& rows_so_far, int source, std::int64_t rows) {
  const std::size_t count = candidates.size();
  std::size_t best = static_cast<std::size_t>(source) % count;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t next = (static_cast<std::size_t>(source) + i) % count;
    if (rows_so_far[candidates[next]] < rows_so_far[candidates[best]]) best = next;
  }
  rows_so_far[candidates[best]] += rows;
  return candidates[best];
}

/// What the ranks must know of the splits that come to them, besides their own lists: for each, in the source's order,
/// its rows, the rank that it comes from, and, where it enters the node, how many it is handed to, and which.
struct Outgoing {
  std::vector<RowBlock> sends;
  std::vector<Numbers> words;
};

Outgoing plan_outgoing(const Topology& topology, int rank, const GroupSplits& splits) {
  Outgoing out;
  out.words.resize(static_cast<std::size_t>(topology.ranks()));
  std::map<int, std::int64_t> entered;
  std::int64_t begin = 0;
  for (std::size_t split = 0; split < splits.input_rows.size(); ++split) {
    const std::int64_t rows = splits.input_rows[split];
    std::map<int, std::vector<int>> by_node;
    for (const int target : splits.destinations[split]) by_node[topology.node(target)].push_back(target);
    for (const auto& [node, targets] : by_node) {
      const auto tell = [&](int target, int from) {
        Numbers& words = out.words[static_cast<std::size_t>(target)];
        words.insert(words.end(), {rows, from, 0});
      };
      if (node == topology.node(rank)) {
        for (const int target : targets) {
          out.sends.push_back({target, begin, begin + rows});
          tell(target, rank);
        }
        continue;
      }
      const int first = entry(targets, entered, rank, rows);
      out.sends.push_back({first, begin, begin + rows});
      for (const int target : targets) tell(target, target == first ? rank : first);
      Numbers& words = out.words[static_cast<std::size_t>(first)];
      words.back() = static_cast<std::int64_t>(targets.size()) - 1;
      std::copy_if(targets.begin(), targets.end(), std::back_inserter(words),
                   [first](int target) { return target != first; });
    }
    begin += rows;
  }
  return out;
}

struct Incoming {
  std::vector<RowBlock> receives;  // of the first hop
  RowTransfers inside;             // the second hop, in numbers of the node's ranks
  std::int64_t entering = 0;
};

/// Sources and their splits are gone through in one order on all ranks of a node, so that rows that are handed on
/// meet the places they are for.
Incoming plan_incoming(const Topology& topology, int rank, const GroupSplits& splits,
                       const std::vector<Numbers>& words) {
  // The places for the rows of each source, in order; a source's splits may be cut differently here.
  std::vector<std::vector<RowBlock>> places(words.size());
  for (const RowBlock& block : impl::output_blocks(splits))
    places[static_cast<std::size_t>(block.peer)].push_back(block);
  Incoming in;
  for (std::size_t source = 0; source < words.size(); ++source) {
    std::vector<RowBlock>& left = places[source];
    std::size_t place = 0;
    const auto all_rows = [&] {
      std::int64_t rows = 0;
      for (const RowBlock& block : left) rows += block.end - block.begin;
      return rows;
    };
    std::int64_t expected = all_rows();
    for (std::size_t word = 0; word < words[source].size();) {
      const std::int64_t rows = words[source][word];
      const int from = static_cast<int>(words[source][word + 1]);
      const auto onward = static_cast<std::size_t>(words[source][word + 2]);
      const std::int64_t* targets = words[source].data() + word + 3;
      word += 3 + onward;
      expected -= rows;
      for (std::int64_t missing = rows; missing > 0 && place < left.size();) {
        RowBlock& block = left[place];
        const std::int64_t taken = std::min(missing, block.end - block.begin);
        const std::int64_t end = block.begin + taken;
        if (from == static_cast<int>(source)) {
          in.receives.push_back({from, block.begin, end});
          if (!topology.share_node(from, rank)) in.entering += taken;
        } else {
          in.inside.receives.push_back({topology.local_rank(from), block.begin, end});
        }
        for (std::size_t i = 0; i < onward; ++i)
          in.inside.sends.push_back({topology.local_rank(static_cast<int>(targets[i])), block.begin, end});
        block.begin = end;
        missing -= taken;
        if (block.begin == block.end) ++place;
      }
    }
    require(expected == 0, [&] {
      return text("HierarchicalCast: output_rows: rank ", rank, " names ", expected > 0 ? expected : -expected,
                  expected > 0 ? " rows more" : " rows fewer", " of rank ", source, " than that one sends");
    });
  }
  return in;
}

std::int64_t rows_of(const std::vector<RowBlock>& blocks) {
  std::int64_t rows = 0;
  for (const RowBlock& block : blocks) rows += block.end - block.begin;
  return rows;
}

}  // namespace

/// Is its own operation, because only one is under way: a start allocates nothing.
struct HierarchicalCast::State : impl::Operation, std::enable_shared_from_this<HierarchicalCast::State> {
  GroupSplits splits;
  std::int64_t input_rows = 0, output_rows = 0, entering = 0, forwarded = 0;
  std::optional<RowExchange> between, inside;  // the second only where there are several nodes

  std::optional<impl::Instance> instance;  // of the cast under way
  Rows receive;
  Request hop;
  bool in_second_hop = false;

  // The second hop's rows lie in the same View: what is handed on, and the places for what comes, apart.
  void start_second_hop() {
    in_second_hop = true;
    if (inside) hop = inside->start_rows(*instance, receive, receive);
  }
  void finish() {
    instance.reset();
    receive = Rows();
  }
  bool test() override {
    if (!hop.test()) return false;
    if (!in_second_hop) start_second_hop();
    if (!hop.test()) return false;
    finish();
    return true;
  }
  void wait() override {
    hop.wait();
    if (!in_second_hop) start_second_hop();
    hop.wait();
    finish();
  }
};

HierarchicalCast::HierarchicalCast(const Communicator& communicator, const Topology& topology, GroupSplits splits)
    : state_(std::make_shared<State>()) {
  impl::check_splits("HierarchicalCast", splits, communicator.size());
  require(topology.ranks() == communicator.size(), [&] {
    return text("HierarchicalCast: topology: ranks = ", topology.ranks(), ": the communicator has ",
                communicator.size());
  });
  State& state = *state_;
  state.splits = std::move(splits);
  state.input_rows = std::reduce(state.splits.input_rows.begin(), state.splits.input_rows.end());
  state.output_rows = std::reduce(state.splits.output_rows.begin(), state.splits.output_rows.end());

  const int rank = communicator.rank();
  Outgoing out = plan_outgoing(topology, rank, state.splits);
  const std::vector<Numbers> words = impl::exchange_lists(communicator, out.words);
  Incoming in = plan_incoming(topology, rank, state.splits, words);
  state.entering = in.entering;
  state.forwarded = rows_of(in.inside.sends);
  state.between.emplace(communicator, RowTransfers{.sends = std::move(out.sends), .receives = std::move(in.receives)});
  if (topology.nodes() > 1) {
    const Communicator node = communicator.split(topology.node(rank), rank);
    state.inside.emplace(node, std::move(in.inside));
  }
}

const GroupSplits& HierarchicalCast::splits() const { return state_->splits; }
std::int64_t HierarchicalCast::entering_rows() const { return state_->entering; }
std::int64_t HierarchicalCast::forwarded_rows() const { return state_->forwarded; }

std::int64_t HierarchicalCast::memory_bytes() const {
  return state_->between->memory_bytes() + (state_->inside ? state_->inside->memory_bytes() : 0) +
         impl::list_bytes(state_->splits);
}

Request HierarchicalCast::start_rows(const impl::Instance& instance, const Rows& send, const Rows& receive) {
  const impl::Region region("caesura::comm::HierarchicalCast");
  impl::check_rows("HierarchicalCast", "send", send, state_->input_rows, "the sum of input_rows");
  impl::check_rows("HierarchicalCast", "receive", receive, state_->output_rows, "the sum of output_rows");
  State& state = *state_;
  require(!state.instance, [] { return "HierarchicalCast: start: the cast before must be complete: wait for it"; });
  state.hop = state.between->start_rows(instance, send, receive);
  state.instance = instance;
  state.receive = receive;
  state.in_second_hop = false;
  return Request(state_);
}

}  // namespace caesura::comm
