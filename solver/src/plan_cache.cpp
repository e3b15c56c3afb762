// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/plan_cache.hpp>

#include <bit>
#include <condition_variable>
#include <list>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace caesura::solver {

namespace {

struct Key {
  Fingerprint mask;
  Cluster cluster;
  Options options;
  friend bool operator==(const Key&, const Key&) = default;
};

/// The fingerprint tells nearly all keys apart; of the rest, what users vary goes in. Equality decides by everything.
struct Hash {
  std::size_t operator()(const Key& key) const noexcept {
    std::uint64_t hash = key.mask.low;
    const auto add = [&](std::uint64_t value) { hash = (std::rotl(hash, 23) ^ value) * 0xbf58476d1ce4e5b9; };
    add(static_cast<std::uint64_t>(key.cluster.ranks));
    add(static_cast<std::uint64_t>(key.cluster.ranks_per_node));
    add(static_cast<std::uint64_t>(key.options.dispatch));
    add(static_cast<std::uint64_t>(key.options.exchange));
    add(static_cast<std::uint64_t>(key.options.stages));
    add(static_cast<std::uint64_t>(key.options.layer.heads_q));
    add(static_cast<std::uint64_t>(key.options.layer.heads_kv));
    return static_cast<std::size_t>(hash ^ (hash >> 32));
  }
};

}  // namespace

struct PlanCache::State {
  using Entry = std::pair<Key, std::shared_ptr<const Plan>>;

  explicit State(std::size_t most) : capacity(most) {}

  const std::size_t capacity;
  mutable std::mutex mutex;
  std::condition_variable solved;
  std::list<Entry> recent;  ///< latest use first
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> plans;
  std::unordered_set<Key, Hash> being_solved;
  std::size_t hits = 0;
  std::size_t misses = 0;

  /// The mutex must be held.
  std::shared_ptr<const Plan> find(const Key& key) {
    const auto found = plans.find(key);
    if (found == plans.end()) return nullptr;
    recent.splice(recent.begin(), recent, found->second);
    return found->second->second;
  }

  void insert(const Key& key, std::shared_ptr<const Plan> plan) {
    recent.emplace_front(key, std::move(plan));
    plans.emplace(key, recent.begin());
    if (plans.size() > capacity) {
      plans.erase(recent.back().first);
      recent.pop_back();
    }
  }
};

PlanCache::PlanCache(std::size_t capacity) : state_(std::make_unique<State>(capacity)) {
  require(capacity > 0, [] { return "PlanCache: capacity = 0: must be at least 1"; });
}

PlanCache::~PlanCache() = default;

std::shared_ptr<const Plan> PlanCache::get(const Mask& mask, const Cluster& cluster, const Options& options) {
  // Also keeps NaN out, which no key would find again.
  cluster.validate("PlanCache::get");
  options.validate("PlanCache::get");
  const Key key = {mask.fingerprint(), cluster, options};
  State& state = *state_;
  {
    std::unique_lock lock(state.mutex);
    for (;;) {
      if (auto plan = state.find(key)) {
        ++state.hits;
        return plan;
      }
      // Where the solve that was waited for failed or its plan is gone again, the next who waits solves.
      if (state.being_solved.insert(key).second) break;
      state.solved.wait(lock);
    }
    ++state.misses;
  }
  const auto finish = [&](std::shared_ptr<const Plan> plan) {
    const std::scoped_lock lock(state.mutex);
    state.being_solved.erase(key);
    if (plan) state.insert(key, std::move(plan));
    state.solved.notify_all();
  };
  try {
    auto plan = std::make_shared<const Plan>(solve(mask, cluster, options));
    finish(plan);
    return plan;
  } catch (...) {
    finish(nullptr);
    throw;
  }
}

std::size_t PlanCache::size() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->plans.size();
}

std::size_t PlanCache::capacity() const { return state_->capacity; }

std::size_t PlanCache::hits() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->hits;
}

std::size_t PlanCache::misses() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->misses;
}

void PlanCache::clear() {
  const std::scoped_lock lock(state_->mutex);
  state_->plans.clear();
  state_->recent.clear();
}

}  // namespace caesura::solver
