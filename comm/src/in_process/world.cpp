// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "in_process/world.hpp"

#include "in_process/copy_bytes.hpp"

#include <algorithm>

namespace caesura::comm::in_process {
namespace {

// Copying so few takes less time than waking somebody to do it.
constexpr std::int64_t copied_at_once = 4096;

void append(Post*& list, Post& post) {
  Post** last = &list;
  while (*last) last = &(*last)->next;
  *last = &post;
}

void remove(Post*& list, Post& post) {
  Post** at = &list;
  while (*at && *at != &post) at = &(*at)->next;
  if (*at) *at = post.next;
}

Post& pop(Post*& list) {
  Post& first = *list;
  list = first.next;
  first.next = nullptr;
  return first;
}

}  // namespace

World::World(int ranks, const InProcessOptions& options) : options_(options), ranks_(static_cast<std::size_t>(ranks)) {}

int World::context(int parent, std::int64_t split, int color) {
  const Lock lock(mutex_);
  const int next = static_cast<int>(contexts_.size()) + 1;  // 0 is the world's own
  return contexts_.try_emplace({parent, split, color}, next).first->second;
}

Channel& World::channel(int context, int from, int to) {
  const Lock lock(mutex_);
  return channels_[{context, from, to}];
}

void World::end(int index) {
  const Lock lock(mutex_);
  rank(index).ended = true;
  wake_all();
}

void World::fail(int index, const std::string& why) {
  const Lock lock(mutex_);
  rank(index).ended = true;
  fail_all(text("rank ", index, " failed: ", why));
}

void World::fail_all(const std::string& why) {
  if (failed_) return;
  failed_ = true;
  failure_ = why;
  wake_all();
}

void World::wake_all() {
  for (Rank& each : ranks_) each.wake.notify_all();
}

void World::post(Post& post) {
  post.state = PostState::posted;
  post.partner = nullptr;
  post.next = nullptr;
  append(post.is_send ? post.channel->sends : post.channel->receives, post);
  match(*post.channel);
}

void World::match(Channel& channel) {
  while (channel.sends && channel.receives) {
    Post &send = *channel.sends, &receive = *channel.receives;
    if (send.message.bytes != receive.message.bytes) {
      fail_all(text("rank ", send.owner->world_rank, " sends ", send.message.bytes, " bytes to rank ",
                    receive.owner->world_rank, " in ", send.owner->operation, ", which expects ", receive.message.bytes,
                    " in ", receive.owner->operation));
      return;
    }
    pop(channel.sends);
    pop(channel.receives);
    send.partner = &receive;
    receive.partner = &send;
    send.state = receive.state = PostState::matched;

    // The simulated link: it leaves when all before it have left, arrives when all before it have arrived.
    const SimulatedLink& link = options_.link;
    const auto seconds = [](double value) {
      return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
    };
    if (link.latency > 0 || link.bytes_per_second > 0) {
      const auto busy =
          seconds(link.bytes_per_second > 0 ? static_cast<double>(send.message.bytes) / link.bytes_per_second : 0);
      Clock::time_point& out = rank(send.owner->world_rank).out_free;
      Clock::time_point& in = rank(receive.owner->world_rank).in_free;
      send.ready = out = std::max(out, Clock::now()) + busy;
      in = std::max(out, in + busy);
      receive.ready = in + seconds(link.latency);
    }

    if (send.message.bytes <= copied_at_once && memory_is_host_only) {
      copy_bytes(receive.message.data, send.message.data, send.message.bytes);
      complete(send, receive);
    } else {
      rank(send.owner->world_rank).wake.notify_all();
      rank(receive.owner->world_rank).wake.notify_all();
    }
  }
}

void World::complete(Post& send, Post& receive) {
  send.state = receive.state = PostState::done;
  rank(send.owner->world_rank).wake.notify_all();
  rank(receive.owner->world_rank).wake.notify_all();
}

void World::copy(Post& post, Lock& lock) {
  Post& send = post.is_send ? post : *post.partner;
  Post& receive = post.is_send ? *post.partner : post;
  send.state = receive.state = PostState::copying;
  lock.unlock();
  try {
    copy_bytes(receive.message.data, send.message.data, send.message.bytes);
  } catch (const Error& error) {
    lock.lock();
    complete(send, receive);
    fail_all(error.what());
    throw;
  }
  lock.lock();
  complete(send, receive);
}

void World::withdraw(Post& post, Lock& lock) {
  rank(post.owner->world_rank).wake.wait(lock, [&] { return post.state != PostState::copying; });
  if (post.state == PostState::posted) {
    remove(post.is_send ? post.channel->sends : post.channel->receives, post);
  } else if (post.state == PostState::matched) {
    post.partner->partner = nullptr;
    post.partner->state = PostState::idle;
  }
  post.state = PostState::idle;
}

bool World::stuck(const Waiting& waiting) const {
  bool unfinished = false;
  for (const Post& post : waiting.posts) {
    if (post.state == PostState::matched || post.state == PostState::copying) return false;
    unfinished = unfinished || post.state == PostState::posted;
  }
  return unfinished;
}

void World::look_for_deadlock() {
  const bool all_stuck = std::all_of(ranks_.begin(), ranks_.end(), [&](const Rank& each) {
    return each.ended || (each.waiting && stuck(*each.waiting));
  });
  if (all_stuck) fail_all(text("deadlock: ", describe_ranks()));
}

std::string World::describe_ranks() {
  std::string result;
  for (std::size_t index = 0; index < ranks_.size(); ++index) {
    if (!result.empty()) result += "; ";
    result += text("rank ", index);
    if (ranks_[index].ended) {
      result += " has ended";
    } else if (const Waiting* waiting = ranks_[index].waiting) {
      result += text(" waits in ", waiting->operation, " to");
      int named = 0;
      for (const Post& post : waiting->posts) {
        if (post.state != PostState::posted) continue;
        result += text(named++ ? ", " : " ", describe(post, post.world_peer));
      }
    }
  }
  return result;
}

void World::sleep(Waiting& waiting, Lock& lock, Clock::time_point until) {
  Rank& self = rank(waiting.world_rank);
  for (const Post& post : waiting.posts) {
    if (post.state == PostState::posted && rank(post.world_peer).ended) {
      fail_all(text("rank ", post.world_peer, " has ended, but rank ", waiting.world_rank, " waits in ",
                    waiting.operation, " to ", describe(post, post.world_peer)));
      return;
    }
  }
  self.waiting = &waiting;
  look_for_deadlock();
  if (!failed_) self.wake.wait_until(lock, until);
  self.waiting = nullptr;
}

std::string describe(const Post& post, int peer) {
  return text(post.is_send ? "send to rank " : "receive from rank ", peer, ", ", post.message.bytes, " bytes");
}

}  // namespace caesura::comm::in_process
