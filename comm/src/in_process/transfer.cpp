// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "in_process/transfer.hpp"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <thread>

namespace caesura::comm::in_process {

namespace {
constexpr auto patience = std::chrono::microseconds(50);
}

InProcessTransfer::InProcessTransfer(std::shared_ptr<World> world, const std::vector<int>& ranks, int rank, int context,
                                     std::string_view operation_name, const std::vector<impl::Message>& sends,
                                     const std::vector<impl::Message>& receives)
    : world_(std::move(world)) {
  world_rank = ranks[static_cast<std::size_t>(rank)];
  operation = operation_name;
  posts.reserve(sends.size() + receives.size());  // posts do not move: others point to them
  const auto add = [&](const impl::Message& message, bool is_send) {
    const int peer = ranks[static_cast<std::size_t>(message.peer)];
    Post post = {.message = message, .is_send = is_send, .world_peer = peer, .owner = this};
    post.channel = is_send ? &world_->channel(context, world_rank, peer) : &world_->channel(context, peer, world_rank);
    posts.push_back(post);
  };
  // Receives first: a rank copies what it receives before it helps others, so that all copy at the same time.
  for (const impl::Message& message : receives) add(message, false);
  for (const impl::Message& message : sends) add(message, true);
}

InProcessTransfer::~InProcessTransfer() {
  World::Lock lock(world_->mutex());
  for (Post& post : posts) world_->withdraw(post, lock);
}

void InProcessTransfer::start(const impl::Instance&) {
  World::Lock lock(world_->mutex());
  for (Post& post : posts) post.state = PostState::idle;
  if (world_->failed()) {
    waiting_since_ = Clock::now();
    give_up(lock);
  }
  waiting_since_.reset();
  for (Post& post : posts) world_->post(post);
}

bool InProcessTransfer::move_on(World::Lock& lock, Copies copies) {
  for (bool again = true; again;) {  // more may match while the lock is free for a copy
    again = false;
    for (Post& post : posts) {
      if (post.state != PostState::matched || (post.is_send && copies == Copies::received)) continue;
      world_->copy(post, lock);
      again = true;
    }
  }
  ready_ = {};
  bool complete = true;
  for (const Post& post : posts) {
    complete = complete && post.state == PostState::done;
    ready_ = std::max(ready_, post.ready);
  }
  return complete;
}

bool InProcessTransfer::test() {
  World::Lock lock(world_->mutex());
  if (!waiting_since_) waiting_since_ = Clock::now();
  const bool is_new = Clock::now() < *waiting_since_ + patience;
  const bool complete = move_on(lock, is_new ? Copies::received : Copies::all);
  if (complete) return ready_ == Clock::time_point() || ready_ <= Clock::now();
  if (Clock::now() > *waiting_since_ + world_->options().timeout)
    world_->fail_all(text("rank ", world_rank, " has waited for longer than the time-out"));
  if (world_->failed()) give_up(lock);
  return false;
}

void InProcessTransfer::wait() {
  World::Lock lock(world_->mutex());
  if (move_on(lock, Copies::received) && ready_ == Clock::time_point()) return;
  if (!waiting_since_) waiting_since_ = Clock::now();
  // The other side is often only a little late: to sleep and be woken takes longer than most messages.
  while (!world_->failed() && Clock::now() < *waiting_since_ + patience) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
    if (move_on(lock, Copies::received) && ready_ == Clock::time_point()) return;
  }
  const Clock::time_point deadline = *waiting_since_ + world_->options().timeout;
  for (;;) {
    if (!move_on(lock, Copies::all)) {
      if (world_->failed()) give_up(lock);
      if (Clock::now() >= deadline) {
        world_->fail_all(text("rank ", world_rank, " has waited for longer than the time-out of ",
                              std::chrono::duration<double>(world_->options().timeout).count(), " s"));
      } else {
        world_->sleep(*this, lock, deadline);
      }
    } else if (ready_ > Clock::now()) {
      world_->sleep(*this, lock, ready_);
    } else {
      return;
    }
  }
}

void InProcessTransfer::give_up(World::Lock& lock) {
  const std::chrono::duration<double> elapsed = Clock::now() - *waiting_since_;
  std::ostringstream what;
  what << operation << ": ";
  const auto unfinished =
      std::find_if(posts.begin(), posts.end(), [](const Post& post) { return post.state != PostState::done; });
  if (unfinished != posts.end()) what << describe(*unfinished, unfinished->message.peer) << ", ";
  what << "after " << std::fixed << std::setprecision(3) << elapsed.count() << " s: " << world_->failure();
  for (Post& post : posts) world_->withdraw(post, lock);
  throw RankFailure(what.str());
}

}  // namespace caesura::comm::in_process
