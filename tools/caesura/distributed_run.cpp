// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "distributed_run.hpp"

#include "ranks.hpp"
#include "report.hpp"
#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/distributed/distribute.hpp>
#include <caesura/error.hpp>

#include <algorithm>
#include <optional>
#include <type_traits>

namespace caesura::tools {

namespace {

/// Ranks that are threads of one process compute on one thread each; processes on all of theirs.
struct ThreadRank {
#ifdef KOKKOS_ENABLE_SERIAL
  using RankSpace = std::conditional_t<std::is_same_v<Space, Kokkos::DefaultHostExecutionSpace>, Kokkos::Serial, Space>;
#else
  using RankSpace = Space;
#endif
  static RankSpace make() {
#ifdef KOKKOS_ENABLE_SERIAL
    if constexpr (std::is_same_v<RankSpace, Kokkos::Serial>) return Kokkos::Serial(Kokkos::NewInstance{});
#endif
    return RankSpace();
  }
};
struct ProcessRank {
  using RankSpace = Space;
  static RankSpace make() { return {}; }
};

/// What a rank tells the others, as bytes.
template <class Value>
std::vector<Value> gathered(const comm::Communicator& communicator, const std::vector<Value>& own) {
  using View = Kokkos::View<Value*, Kokkos::HostSpace>;
  const Kokkos::DefaultHostExecutionSpace host;
  const auto ranks = static_cast<std::size_t>(communicator.size());
  const Kokkos::View<std::int64_t*, Kokkos::HostSpace> count("count", 1), counts("counts", ranks);
  count(0) = static_cast<std::int64_t>(own.size());
  comm::all_gather(host, communicator, count, counts).wait();
  host.fence("caesura::tools::counts");
  const std::vector<std::int64_t> rows(counts.data(), counts.data() + ranks);
  std::size_t total = 0;
  for (const std::int64_t n : rows) total += static_cast<std::size_t>(n);
  const View mine("own", own.size()), all("all", total);
  std::copy(own.begin(), own.end(), mine.data());
  comm::all_gather_v(host, communicator, mine, all, rows).wait();
  host.fence("caesura::tools::gathered");
  return {all.data(), all.data() + total};
}

/// The largest of all ranks' values.
double slowest(const comm::Communicator& communicator, double seconds) {
  const std::vector<double> all = gathered<double>(communicator, {seconds});
  return *std::max_element(all.begin(), all.end());
}

/// Median and minimum of the slowest rank's times; all ranks begin together.
template <class RankSpace, class Work>
Timing time_ranks(const RankSpace& space, const comm::Communicator& communicator, std::int64_t repeat,
                  const Work& work) {
  work();
  space.fence("caesura::tools::warm_up");
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < repeat; ++i) {
    comm::barrier(communicator).wait();
    const Kokkos::Timer timer;
    work();
    space.fence("caesura::tools::timed");
    seconds.push_back(slowest(communicator, timer.seconds()));
  }
  return timing_of(std::move(seconds));
}

/// All activities of all ranks in one list.
struct NotedActivity {
  std::int32_t rank = 0;
  std::int32_t is_transfer = 0;
  solver::Activity activity;
  double end = 0;
};

solver::Timeline timeline_of(const comm::Communicator& communicator, const solver::RankTimeline& own) {
  std::vector<NotedActivity> noted;
  for (const solver::Activity& activity : own.transfers) noted.push_back({communicator.rank(), 1, activity, own.end});
  for (const solver::Activity& activity : own.computes) noted.push_back({communicator.rank(), 0, activity, own.end});
  solver::Timeline timeline;
  timeline.ranks.resize(static_cast<std::size_t>(communicator.size()));
  for (const NotedActivity& one : gathered(communicator, noted)) {
    solver::RankTimeline& rank = timeline.ranks[static_cast<std::size_t>(one.rank)];
    (one.is_transfer ? rank.transfers : rank.computes).push_back(one.activity);
    rank.end = one.end;
  }
  double hidden = 0;
  for (const solver::RankTimeline& rank : timeline.ranks) {
    timeline.seconds = std::max(timeline.seconds, rank.end);
    double compute = 0;
    for (const solver::Activity& step : rank.computes) {
      compute += step.end - step.begin;
      for (const solver::Activity& stage : rank.transfers) {
        hidden += std::max(0.0, std::min(step.end, stage.end) - std::max(step.begin, stage.begin));
      }
    }
    timeline.compute_seconds = std::max(timeline.compute_seconds, compute);
  }
  timeline.hidden_seconds = hidden / static_cast<double>(timeline.ranks.size());
  return timeline;
}

RankCall call_of(const CallReport& report) { return {report.bytes_sent, report.bytes_received, report.waited_seconds}; }

/// One rank of a measurement. Rank 0 has \p whole, and fills \p result.
template <AttentionScalar Scalar, class Kind>
class RankRun {
 public:
  RankRun(const comm::Communicator& communicator, const solver::Plan& plan, const ProblemSize& size,
          const AttentionOptions& options, const MeasureArguments& arguments, Results results)
      : space_(Kind::make()),
        communicator_(communicator),
        placement_(plan.placement()),
        options_(options),
        arguments_(arguments),
        own_(own_size(size)),
        tensors_(own_),
        attention_(space_, communicator, plan,
                   {.heads_q = static_cast<std::int32_t>(size.heads_q),
                    .heads_kv = static_cast<std::int32_t>(size.heads_kv),
                    .dim = static_cast<std::int32_t>(size.dim_qk),
                    .dim_v = static_cast<std::int32_t>(size.dim_v),
                    .type = size.type,
                    .passes = size.passes,
                    .results = results}),
        kept_(attention_.keep_keys()) {}

  void run(const Tensors<Scalar>& whole, DistributedMeasurement& result) {
    const bool backward = own_.passes == Passes::forward_and_backward;
    give(whole.q, tensors_.q, Side::queries);
    give(whole.k, tensors_.k, Side::keys);
    give(whole.v, tensors_.v, Side::keys);
    if (backward) give(whole.dout, tensors_.dout, Side::queries);
    const auto forward = [&] {
      attention_.forward(tensors_.q, tensors_.k, tensors_.v, tensors_.out, tensors_.lse, options_, &kept_);
    };
    const Timing forward_time = time_ranks(space_, communicator_, arguments_.repeat, forward);
    RankMeasurement measured;
    measured.forward = call_of(attention_.last_call());
    measured.memory_bytes = attention_.memory_bytes();
    Timing backward_time;
    if (backward) {
      backward_time = time_ranks(space_, communicator_, arguments_.repeat, [&] {
        attention_.backward(tensors_.dout, tensors_.q, tensors_.k, tensors_.v, tensors_.out, tensors_.lse, tensors_.dq,
                            tensors_.dk, tensors_.dv, options_, &kept_);
      });
      measured.backward = call_of(attention_.last_call());
    }
    attention_.record(Recording::on);
    comm::barrier(communicator_).wait();
    forward();
    const solver::Timeline timeline = timeline_of(communicator_, attention_.last_call().timeline);
    take(tensors_.out, whole.out, Side::queries);
    take(tensors_.lse, whole.lse, Side::queries);
    if (backward) {
      take(tensors_.dq, whole.dq, Side::queries);
      take(tensors_.dk, whole.dk, Side::keys);
      take(tensors_.dv, whole.dv, Side::keys);
    }
    const std::vector<RankMeasurement> all = gathered<RankMeasurement>(communicator_, {measured});
    if (communicator_.rank() != 0) return;
    result.whole.forward = forward_time;
    result.whole.backward = backward_time;
    result.ranks = all;
    result.timeline = timeline;
  }

 private:
  ProblemSize own_size(ProblemSize size) const {
    size.total_q = placement_.queries_of(communicator_.rank()).size();
    size.total_k = placement_.keys_of(communicator_.rank()).size();
    return size;
  }
  template <class View>
  void give(const View& whole, const View& own, Side side) {
    distribute(space_, communicator_, placement_, whole, own, 0, side).wait();
  }
  template <class View>
  void take(const View& own, const View& whole, Side side) {
    collect(space_, communicator_, placement_, own, whole, 0, side).wait();
    space_.fence("caesura::tools::collected");
  }

  typename Kind::RankSpace space_;
  const comm::Communicator& communicator_;
  const solver::Placement& placement_;
  const AttentionOptions& options_;
  const MeasureArguments& arguments_;
  ProblemSize own_;
  Tensors<Scalar> tensors_;
  DistributedAttention<typename Kind::RankSpace> attention_;
  KeptKeys kept_;
};

template <AttentionScalar Scalar>
DistributedMeasurement measure_scalar(const solver::Plan& plan, const ProblemSize& size,
                                      const AttentionOptions& options, const MeasureArguments& arguments,
                                      std::int64_t seed, Results results, Verify verification, Progress& progress) {
  DistributedMeasurement result;
  result.whole.size = size;
  result.whole.area = plan.mask().area();
  require_memory(size);
  const Space space;
  ProblemSize nothing = size;
  nothing.total_q = nothing.total_k = 0;
  const Tensors<Scalar> whole(ranks().speaks() ? size : nothing);
  if (ranks().speaks()) {
    progress.show("random inputs");
    fill_normal<Scalar>(space, whole.q, seed, 0);
    fill_normal<Scalar>(space, whole.k, seed, 1);
    fill_normal<Scalar>(space, whole.v, seed, 2);
    if (result.whole.has_backward()) fill_normal<Scalar>(space, whole.dout, seed, 3);
    space.fence("caesura::tools::inputs");
    progress.show(text("running on ", plan.cluster().ranks, " ranks"));
  }
  ranks().run(plan.cluster().ranks, [&](const comm::Communicator& communicator) {
    if (ranks().processes() > 0) {
      RankRun<Scalar, ProcessRank>(communicator, plan, size, options, arguments, results).run(whole, result);
    } else {
      RankRun<Scalar, ThreadRank>(communicator, plan, size, options, arguments, results).run(whole, result);
    }
  });
  if (!ranks().speaks()) return result;
  const AttentionPlan<Space> lowered(space, plan.mask(), {.passes = size.passes});
  result.whole.plan_bytes = lowered.memory_bytes();
  result.whole.variants = variants(lowered, whole, size, options);
  if (verification == Verify::yes) result.whole.errors = verify(plan.mask(), whole, size, options, progress);
  progress.clear();
  return result;
}

}  // namespace

std::string rank_space_text() {
#ifdef KOKKOS_ENABLE_SERIAL
  if (ranks().processes() == 0 && std::is_same_v<ThreadRank::RankSpace, Kokkos::Serial>)
    return "Serial, 1 thread a rank";
#endif
  return space_text();
}

DistributedMeasurement measure_distributed(const solver::Plan& plan, const ShapeArguments& shape,
                                           const ScoreArguments& score, const MeasureArguments& arguments,
                                           Results results, Verify verification, Progress& progress) {
  const ProblemSize size = size_of(plan.mask(), shape, arguments);
  AttentionOptions options = to_options(score);
  options.variant = arguments.variant;
  return with_scalar(shape.type, [&]<class Scalar>() {
    return measure_scalar<Scalar>(plan, size, options, arguments, score.seed, results, verification, progress);
  });
}

}  // namespace caesura::tools
