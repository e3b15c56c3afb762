// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "in_process/transport.hpp"
#include <caesura/comm/in_process.hpp>
#include <caesura/error.hpp>

#include <exception>
#include <numeric>
#include <thread>
#include <utility>

namespace caesura::comm {
namespace {

std::shared_ptr<in_process::World> make_world(const char* function, int ranks, const InProcessOptions& options) {
  require(ranks >= 1, [&] { return text(function, ": ranks = ", ranks, ": must be at least 1"); });
  return std::make_shared<in_process::World>(ranks, options);
}

std::vector<Communicator> make_communicators(const std::shared_ptr<in_process::World>& world, int ranks) {
  std::vector<int> all(static_cast<std::size_t>(ranks));
  std::iota(all.begin(), all.end(), 0);
  std::vector<Communicator> result;
  for (int rank = 0; rank < ranks; ++rank) {
    result.emplace_back(std::make_shared<in_process::InProcessTransport>(
        std::make_shared<in_process::RankLife>(world, rank), all, rank, 0));
  }
  return result;
}

/// The exceptions of bodies, in the order in which they came.
class Failures {
 public:
  void add(std::exception_ptr exception, bool consequence) {
    const std::lock_guard lock(mutex_);
    std::exception_ptr& first = consequence ? consequence_ : cause_;
    if (!first) first = std::move(exception);
  }
  void rethrow() const {
    if (cause_) std::rethrow_exception(cause_);
    if (consequence_) std::rethrow_exception(consequence_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr cause_, consequence_;
};

void run_rank(in_process::World& world, int rank, const std::function<void(const Communicator&)>& body,
              const Communicator& communicator, Failures& failures) {
  try {
    body(communicator);
    world.end(rank);
  } catch (const in_process::RankFailure& failure) {
    failures.add(std::current_exception(), true);
    world.fail(rank, failure.what());
  } catch (const std::exception& exception) {
    failures.add(std::current_exception(), false);
    world.fail(rank, exception.what());
  } catch (...) {
    failures.add(std::current_exception(), false);
    world.fail(rank, "something that is no std::exception");
  }
}

}  // namespace

std::vector<Communicator> InProcessCommunicator::create(int ranks, const InProcessOptions& options) {
  return make_communicators(make_world("InProcessCommunicator", ranks, options), ranks);
}

void run_in_process(int ranks, const std::function<void(const Communicator&)>& body, const InProcessOptions& options) {
  const auto world = make_world("run_in_process", ranks, options);
  Failures failures;
  {
    std::vector<std::jthread> threads;
    int rank = 0;
    for (Communicator& communicator : make_communicators(world, ranks)) {
      threads.emplace_back([&world, &body, &failures, rank, own = std::move(communicator)] {
        run_rank(*world, rank, body, own, failures);
      });
      ++rank;
    }
  }
  failures.rethrow();
}

}  // namespace caesura::comm
