// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <support/plan_checker.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace caesura::solver {
namespace {

using testing::Depth;
using testing::joined;
using testing::Violations;

constexpr Payload keys = Payload::keys, queries = Payload::queries, outputs = Payload::outputs;

/// A transfer that can be changed.
struct Draft {
  std::int32_t source;
  std::int32_t target;
  std::vector<Range> rows;
  Payload payload = keys;
};

/// Stages of hops of transfers.
using Drafts = std::vector<std::vector<std::vector<Draft>>>;

Exchange exchange_of(ExchangeKind kind, const Drafts& drafts) {
  std::vector<Stage> stages;
  std::vector<Range> ranges;
  for (const auto& stage : drafts) {
    stages.emplace_back();
    for (const auto& hop : stage) {
      stages.back().emplace_back();
      for (const Draft& draft : hop) {
        Transfer transfer = {.source = draft.source,
                             .target = draft.target,
                             .payload = draft.payload,
                             .first = static_cast<std::int64_t>(ranges.size()),
                             .count = static_cast<std::int64_t>(draft.rows.size())};
        for (const Range range : draft.rows) transfer.rows += range.size();
        stages.back().back().push_back(transfer);
        ranges.insert(ranges.end(), draft.rows.begin(), draft.rows.end());
      }
    }
  }
  return Exchange(kind, std::move(stages), std::move(ranges));
}

/// A correct exchange, written by hand.
struct Sample {
  Mask mask;
  Placement placement;
  Cluster cluster;
  ExchangeKind kind;
  Drafts drafts;

  Violations check(const Drafts& changed, Depth depth) const {
    try {
      const Exchange exchange = exchange_of(kind, changed);
      return testing::exchange_violations({mask, placement, cluster, exchange}, depth);
    } catch (const Error& refused) {
      return {refused.what()};
    }
  }
};

/// One causal document of 8 tokens.
Mask causal_8() { return Mask::from_documents(Documents::from_lengths({8})); }
/// Two tokens a rank: rank r needs the keys [0, 2 r).
Placement pairs_of_tokens() { return Placement::together(4, 8, {{{0, 2}, 0}, {{2, 4}, 1}, {{4, 6}, 2}, {{6, 8}, 3}}); }
constexpr Cluster two_nodes = {.ranks = 4, .ranks_per_node = 2};

Sample zero_redundancy() {
  return {causal_8(),
          pairs_of_tokens(),
          two_nodes,
          ExchangeKind::zero_redundancy,
          {{{{0, 1, {{0, 2}}}, {1, 2, {{2, 4}}}, {2, 3, {{4, 6}}}}},
           {{{0, 2, {{0, 2}}}, {0, 3, {{0, 2}}}, {1, 3, {{2, 4}}}}}}};
}

/// Keys [0, 4) enter node 1 once; there each half goes on to the other rank.
Sample hierarchical() {
  return {causal_8(),
          pairs_of_tokens(),
          two_nodes,
          ExchangeKind::hierarchical,
          {{{{0, 1, {{0, 2}}}, {0, 2, {{0, 2}}}, {1, 3, {{2, 4}}}, {2, 3, {{4, 6}}}},
            {{3, 2, {{2, 4}}}, {2, 3, {{0, 2}}}}}}};
}

/// Every rank gets everything, also what it cannot see.
Sample all_gather() {
  return {causal_8(),
          Placement::together(2, 8, {{{0, 2}, 0}, {{2, 6}, 1}, {{6, 8}, 0}}),
          {.ranks = 2},
          ExchangeKind::all_gather,
          {{{{1, 0, {{2, 6}}}, {0, 1, {{0, 2}, {6, 8}}}}}}};
}

Sample ring() {
  return {Mask::from_documents(Documents::from_lengths({6})),
          Placement::together(3, 6, {{{0, 2}, 0}, {{2, 4}, 1}, {{4, 6}, 2}}),
          {.ranks = 3},
          ExchangeKind::ring,
          {{{{2, 0, {{4, 6}}}, {0, 1, {{0, 2}}}, {1, 2, {{2, 4}}}}},
           {{{2, 0, {{2, 4}}}, {0, 1, {{4, 6}}}, {1, 2, {{0, 2}}}}}}};
}

/// Queries 4, 5 get the keys 0, 1; queries 6, 7 go to the keys 2, 3 and come back.
Sample qo() {
  const std::vector<BandSlice> slices = {BandSlice::causal({0, 4}, {0, 4}), BandSlice::full({4, 6}, {0, 2}),
                                         BandSlice::causal({4, 8}, {4, 8}), BandSlice::full({6, 8}, {2, 4})};
  return {Mask::from_slices(8, 8, slices),
          Placement::together(2, 8, {{{0, 4}, 0}, {{4, 8}, 1}}),
          {.ranks = 2},
          ExchangeKind::qo,
          {{{{1, 0, {{6, 8}}, queries}, {0, 1, {{0, 2}}}}}, {{{0, 1, {{6, 8}}, outputs}}}}};
}

TEST(PlanChecker, PlansThatAreRightHaveNoViolations) {
  for (const Sample& sample : {zero_redundancy(), hierarchical(), all_gather(), ring(), qo()}) {
    for (const Depth depth : {Depth::exhaustive, Depth::fast}) {
      const Violations found = sample.check(sample.drafts, depth);
      EXPECT_TRUE(found.empty()) << name_of(sample.kind) << joined(found);
    }
  }
}

/// Plants a bug: the checker, or the constructor already, must say \p sentence.
template <class Bug>
void expect_caught(const Sample& sample, const std::string& name, const std::string& sentence, const Bug& bug) {
  Drafts changed = sample.drafts;
  bug(changed);
  for (const Depth depth : {Depth::exhaustive, Depth::fast}) {
    const std::string found = joined(sample.check(changed, depth));
    EXPECT_NE(found.find(sentence), std::string::npos)
        << name_of(sample.kind) << (depth == Depth::fast ? ", fast: " : ", exhaustive: ") << name << ": expected \""
        << sentence << "\", found:" << found;
  }
}

TEST(PlanChecker, CatchesTransfersOfAWrongForm) {
  const Sample plan = zero_redundancy();
  const std::string refused = "come by target, then source, then payload";
  expect_caught(plan, "a second of its kind", refused, [](Drafts& d) { d[0][0].push_back({2, 3, {{5, 6}}}); });
  expect_caught(plan, "out of order", refused, [](Drafts& d) { std::swap(d[1][0][1], d[1][0][2]); });
  expect_caught(plan, "to oneself", "must join two ranks", [](Drafts& d) { d[0][0][0].target = 0; });
  expect_caught(plan, "an unknown rank", "from rank 2 to rank 4", [](Drafts& d) { d[0][0][2].target = 4; });
  expect_caught(plan, "no rows", "has ranges", [](Drafts& d) { d[0][0][0].rows = {}; });
  expect_caught(plan, "an empty range", "range [3, 3)", [](Drafts& d) { d[0][0][0].rows.push_back({3, 3}); });
  expect_caught(plan, "ranges that touch", "not lie apart behind 1", [](Drafts& d) {
    d[0][0][0].rows = {{0, 1}, {1, 2}};
  });
  expect_caught(plan, "ranges that overlap", "not lie apart behind 2", [](Drafts& d) {
    d[0][0][0].rows = {{0, 2}, {1, 2}};
  });
  expect_caught(plan, "ranges backwards", "not lie apart behind 2", [](Drafts& d) {
    d[1][0][1].rows = {{1, 2}, {0, 1}};
  });
  expect_caught(plan, "rows that do not exist", "range [2, 9) of 8 rows",
                [](Drafts& d) { d[1][0][2].rows[0].end = 9; });
  expect_caught(plan, "queries", "only qo may", [](Drafts& d) { d[1][0].push_back({2, 3, {{4, 6}}, queries}); });
}

TEST(PlanChecker, CatchesEveryBugOfZeroRedundancy) {
  const Sample plan = zero_redundancy();
  const std::string again = "the target has some of them already";
  expect_caught(plan, "a lost transfer", "never computed", [](Drafts& d) { d[1][0].pop_back(); });
  expect_caught(plan, "a lost row", "never computed", [](Drafts& d) { d[1][0][2].rows = {{2, 3}}; });
  expect_caught(plan, "a row again, later", again, [](Drafts& d) { d[1][0].push_back({2, 3, {{5, 6}}}); });
  expect_caught(plan, "own rows", again, [](Drafts& d) { d[0][0][0].rows = {{0, 3}}; });
  expect_caught(plan, "rows of another owner too", "the source does not hold", [](Drafts& d) {
    d[1][0][2].rows = {{2, 5}};
  });
  expect_caught(plan, "not from the owner", "the source is not the owner", [](Drafts& d) {
    d[1][0][2] = {2, 3, {{2, 4}}};
  });
  expect_caught(plan, "a row that nobody there sees", "the target does not need [2, 3)", [](Drafts& d) {
    d[0][0].insert(d[0][0].begin(), {1, 0, {{2, 3}}});
  });
}

TEST(PlanChecker, CatchesEveryBugOfAHierarchy) {
  const Sample plan = hierarchical();
  const std::string early = "the source does not hold";
  expect_caught(plan, "sent on before it is there", early, [](Drafts& d) { std::swap(d[0][0], d[0][1]); });
  expect_caught(plan, "sent on in the same hop", early, [](Drafts& d) {
    d[0][0].insert(d[0][0].begin() + 2, {3, 2, {{2, 4}}});
    d[0][1].erase(d[0][1].begin());
  });
  expect_caught(plan, "not passed on", "never computed", [](Drafts& d) { d[0][1].pop_back(); });
  expect_caught(plan, "into a node twice", "entered node 1 before", [](Drafts& d) { d[0][1][1].source = 0; });
  expect_caught(plan, "out of a node and back", "at home in that node", [](Drafts& d) {
    d[0][0].erase(d[0][0].begin());
    d[0][1].insert(d[0][1].begin(), {2, 1, {{0, 2}}});
  });
  expect_caught(plan, "for nobody", "neither needs them nor passes them on", [](Drafts& d) {
    d[0][1][0].rows.push_back({6, 7});
  });
}

TEST(PlanChecker, CatchesEveryBugOfGathersAndRings) {
  const Sample gather = all_gather();
  const std::string again = "the target has some of them already";
  expect_caught(gather, "a row lost that nobody sees", "rank 1 never receives the keys [7, 8)", [](Drafts& d) {
    d[0][0][1].rows = {{0, 2}, {6, 7}};
  });
  expect_caught(gather, "a row lost that is seen", "never computed", [](Drafts& d) { d[0][0][0].rows = {{3, 6}}; });
  expect_caught(gather, "a row twice", again, [](Drafts& d) { d.push_back({{{1, 0, {{2, 3}}}}}); });
  const Sample circle = ring();
  expect_caught(circle, "a stage is missing", "a ring of 3 ranks has 1 stages", [](Drafts& d) { d.pop_back(); });
  expect_caught(circle, "a stage too many", "a ring of 3 ranks has 3 stages", [](Drafts& d) { d.push_back({}); });
  expect_caught(circle, "one the other way", "not the next one", [](Drafts& d) { d[1][0][1] = {2, 1, {{4, 6}}}; });
  expect_caught(circle, "sent on too early", "the source does not hold", [](Drafts& d) { std::swap(d[0], d[1]); });
  expect_caught(circle, "the same again", again, [](Drafts& d) { d[1][0][0].rows = {{4, 6}}; });
}

TEST(PlanChecker, CatchesEveryBugOfMovingQueries) {
  const Sample plan = qo();
  const std::string early = "the source has not computed them yet";
  expect_caught(plan, "forgotten outputs", "never sends the outputs [6, 8) home", [](Drafts& d) { d.pop_back(); });
  expect_caught(plan, "a forgotten output", "never sends the outputs [7, 8) home", [](Drafts& d) {
    d[1][0][0].rows = {{6, 7}};
  });
  expect_caught(plan, "outputs twice", "sends them a second time", [](Drafts& d) { d.push_back(d.back()); });
  expect_caught(plan, "outputs with their queries", early, [](Drafts& d) {
    d[0].push_back(d[1][0]);
    d.pop_back();
  });
  expect_caught(plan, "outputs that nobody asked for", early, [](Drafts& d) { d[1][0][0].rows = {{5, 8}}; });
  expect_caught(plan, "a lost query", "never computed", [](Drafts& d) {
    d[0][0][0].rows = {{6, 7}};
    d[1][0][0].rows = {{6, 7}};
  });
  expect_caught(plan, "keys and queries of the same pairs", "computed by", [](Drafts& d) {
    d[0][0][1].rows = {{0, 3}};
  });
  expect_caught(plan, "the same, and as many pairs lost", "computed by", [](Drafts& d) {
    d[0][0][1].rows = {{1, 2}};
    d[0].push_back({{1, 0, {{4, 5}}, queries}});
    d[1][0][0].rows = {{4, 5}, {6, 8}};
  });
  expect_caught(plan, "queries of another owner too", "the source does not hold", [](Drafts& d) {
    d[0][0][0].rows = {{3, 4}, {6, 8}};
  });

  const Sample three = {Mask::from_slices(6, 6, std::vector<BandSlice>{BandSlice::full({4, 6}, {0, 2})}),
                        Placement::together(3, 6, {{{0, 2}, 0}, {{2, 4}, 1}, {{4, 6}, 2}}),
                        {.ranks = 3},
                        ExchangeKind::qo,
                        {{{{2, 0, {{4, 6}}, queries}}}, {{{0, 2, {{4, 6}}, outputs}}}}};
  EXPECT_EQ(joined(three.check(three.drafts, Depth::fast)), "");
  expect_caught(three, "outputs to another rank", "belong to rank 2", [](Drafts& d) { d[1][0][0].target = 1; });
  expect_caught(three, "queries that see nothing there", "the target does not need [4, 6)", [](Drafts& d) {
    d[0][0].push_back({2, 1, {{4, 6}}, queries});
  });
  expect_caught(three, "keys that nobody sees there", "the target does not need [2, 3)", [](Drafts& d) {
    d[0][0].push_back({1, 2, {{2, 3}}});
  });
}

TEST(PlanChecker, CatchesWrongCountsAndForeignParts) {
  const Sample sample = zero_redundancy();
  const Exchange right = exchange_of(sample.kind, sample.drafts);
  const auto found = [&](const Mask& mask, const Placement& placement, const Cluster& cluster,
                         const Exchange& exchange) {
    return joined(testing::exchange_violations({mask, placement, cluster, exchange}, Depth::fast));
  };
  const auto expect_part = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << "expected \"" << part << "\" in:" << text;
  };
  const Exchange count(ExchangeKind::zero_redundancy, {{{{0, 1, keys, 0, 1, 3}}}}, {{0, 2}});
  expect_part(found(sample.mask, sample.placement, sample.cluster, count), "says 3 rows, its ranges have 2");
  expect_part(found(sample.mask, sample.placement, {.ranks = 8, .ranks_per_node = 2}, right), "do not belong together");
  expect_part(found(Mask::from_slices(8, 9, {}), sample.placement, sample.cluster, right), "do not belong together");
}

TEST(PlanChecker, CatchesABackwardThatIsNotTheForwardReversed) {
  const Sample sample = hierarchical();
  const Exchange forward = exchange_of(sample.kind, sample.drafts);
  const Drafts mirror = {
      {{{3, 2, {{0, 2}}}, {2, 3, {{2, 4}}}}, {{1, 0, {{0, 2}}}, {2, 0, {{0, 2}}}, {3, 1, {{2, 4}}}, {3, 2, {{4, 6}}}}}};
  const auto check = [&](const Drafts& drafts) {
    return joined(testing::transposition_violations(forward, exchange_of(sample.kind, drafts)));
  };
  EXPECT_EQ(check(mirror), "");
  EXPECT_EQ(joined(testing::transposition_violations(forward, forward.transposed())), "");
  const auto expect_part = [&](const char* name, const std::string& part, const std::function<void(Drafts&)>& change) {
    Drafts drafts = mirror;
    change(drafts);
    EXPECT_NE(check(drafts).find(part), std::string::npos)
        << name << ": expected \"" << part << "\" in:" << check(drafts);
  };
  expect_part("the old order", "hop 0 and its mirror differ", [](Drafts& d) { std::swap(d[0][0], d[0][1]); });
  expect_part("the old direction", "differ", [](Drafts& d) { std::swap(d[0][1][3].source, d[0][1][3].target); });
  expect_part("other rows", "differ", [](Drafts& d) { d[0][1][3].rows[0].end = 5; });
  expect_part("a lost transfer", "differ", [](Drafts& d) { d[0][1].pop_back(); });
  expect_part("a lost hop", "has 2 hops, its mirror 1", [](Drafts& d) { d[0].pop_back(); });
  expect_part("a stage too many", "has 2 stages, not 1", [](Drafts& d) { d.push_back({}); });
}

TEST(PlanChecker, CatchesSlicesThatAreNotTheStepsOwn) {
  const Sample sample = zero_redundancy();
  const Exchange exchange = exchange_of(sample.kind, sample.drafts);
  using Steps = std::vector<std::vector<std::vector<BandSlice>>>;  // by step, then rank
  Steps right(3, std::vector<std::vector<BandSlice>>(4));
  for (std::int64_t rank = 0; rank < 4; ++rank) {
    const Range own = {2 * rank, 2 * rank + 2};
    const auto at = static_cast<std::size_t>(rank);
    right[0][at] = {BandSlice::causal(own, own)};
    if (rank > 0) right[1][at] = {BandSlice::full(own, {own.begin - 2, own.begin})};
    if (rank > 1) right[2][at] = {BandSlice::full(own, {0, own.begin - 2})};
  }
  const auto check = [&](const Steps& steps, Depth depth) {
    return joined(testing::exchange_violations(
        {sample.mask, sample.placement, sample.cluster, exchange}, depth, [&](std::int32_t rank, std::int32_t step) {
          return steps[static_cast<std::size_t>(step)][static_cast<std::size_t>(rank)];
        }));
  };
  const std::vector<std::pair<std::string, std::function<void(Steps&)>>> bugs = {
      {"lost", [](Steps& s) { s[2][3].clear(); }},
      {"one row less",
       [](Steps& s) {
         s[2][3] = {BandSlice::full({6, 8}, {1, 4})};
       }},
      {"twice", [](Steps& s) { s[1][1].push_back(s[1][1][0]); }},
      {"overlapping",
       [](Steps& s) {
         s[2][3] = {BandSlice::full({6, 8}, {0, 3}), BandSlice::full({6, 7}, {2, 4})};
       }},
      {"a step too early", [](Steps& s) { std::swap(s[1][3], s[2][3]); }},
      {"at another rank", [](Steps& s) { std::swap(s[2][2], s[2][3]); }},
      {"without pairs",
       [](Steps& s) {
         s[1][1].push_back(BandSlice::full({2, 2}, {0, 2}));
       }},
      {"more than is visible",
       [](Steps& s) {
         s[0][0] = {BandSlice::full({0, 2}, {0, 2})};
       }},
      {"another band",
       [](Steps& s) {
         s[0][0] = {BandSlice::inverse_causal({0, 2}, {0, 2})};
       }},
  };
  for (const Depth depth : {Depth::exhaustive, Depth::fast}) {
    const char* name = depth == Depth::fast ? "fast" : "exhaustive";
    EXPECT_EQ(check(right, depth), "") << name;
    for (const auto& [bug, plant] : bugs) {
      Steps steps = right;
      plant(steps);
      EXPECT_NE(check(steps, depth).find("slices of rank"), std::string::npos) << name << ": " << bug;
    }
  }
}

TEST(PlanChecker, CatchesRanksWithTooManyTokens) {
  const Mask mask = causal_8();
  const auto check = [&](std::vector<OwnedRange> tokens, std::int32_t ranks, double slack) {
    return joined(testing::placement_violations(mask, Placement::together(ranks, 8, std::move(tokens)),
                                                {.ranks = ranks}, {.token_slack = slack}));
  };
  EXPECT_EQ(check({{{0, 4}, 0}, {{4, 8}, 1}}, 2, 0), "");
  EXPECT_NE(check({{{0, 5}, 0}, {{5, 8}, 1}}, 2, 0).find("rank 0 owns 5 tokens, may own 4"), std::string::npos);
  EXPECT_EQ(check({{{0, 5}, 0}, {{5, 8}, 1}}, 2, 0.25), "");
  EXPECT_NE(check({{{0, 6}, 0}, {{6, 8}, 1}}, 2, 0.25).find("may own 5"), std::string::npos);
  // 8 tokens on 3 ranks: 3, 3 and 2.
  EXPECT_EQ(check({{{0, 3}, 0}, {{3, 6}, 1}, {{6, 8}, 2}}, 3, 0), "");
  EXPECT_NE(check({{{0, 4}, 0}, {{4, 8}, 1}}, 3, 0).find("rank 2 owns 0 tokens, must own 2"), std::string::npos);
  const Placement other = Placement::together(2, 6, {{{0, 3}, 0}, {{3, 6}, 1}});
  EXPECT_NE(joined(testing::placement_violations(mask, other, {.ranks = 2}, {})).find("the mask has 8"),
            std::string::npos);
  EXPECT_NE(joined(testing::placement_violations(mask, other, {.ranks = 4}, {})).find("2 ranks in a cluster of 4"),
            std::string::npos);
}

}  // namespace
}  // namespace caesura::solver
