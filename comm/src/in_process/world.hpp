// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/transport.hpp"
#include <caesura/comm/in_process.hpp>
#include <caesura/error.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace caesura::comm::in_process {

using Clock = std::chrono::steady_clock;

/// An error of a rank because of something that happened on another, or between them.
class RankFailure : public Error {
 public:
  explicit RankFailure(const std::string& message) : Error(ErrorKind::communication, message) {}
};

enum class PostState : std::uint8_t {
  idle,
  posted,   ///< in its channel, the other side has not come
  matched,  ///< both sides have come; whoever waits first copies
  copying,
  done  ///< complete at `ready`
};

class Waiting;
struct Post;

/// Messages from one rank to another in one communicator that wait for the other side. At most one list has any.
struct Channel {
  Post* sends = nullptr;
  Post* receives = nullptr;
};

/// One side of one message.
struct Post {
  impl::Message message;
  bool is_send = false;
  int world_peer = 0;
  Waiting* owner = nullptr;
  Channel* channel = nullptr;
  Post* partner = nullptr;
  Post* next = nullptr;
  PostState state = PostState::idle;
  Clock::time_point ready = {};
};

/// What a rank can wait for.
class Waiting {
 public:
  int world_rank = 0;
  std::string_view operation;
  std::vector<Post> posts;

 protected:
  ~Waiting() = default;
};

/// All ranks of one process, and what is between them. Everything here is under one lock; copies of more than a few
/// bytes run without it. Sub-communicators are contexts of the same world, so that a deadlock that goes through several
/// of them is seen.
class World {
 public:
  World(int ranks, const InProcessOptions& options);

  const InProcessOptions& options() const { return options_; }
  std::mutex& mutex() { return mutex_; }

  /// The number of the sub-communicator that ranks with \p color of split number \p split of \p parent are in.
  int context(int parent, std::int64_t split, int color);
  Channel& channel(int context, int from, int to);

  /// A rank has nothing left to say.
  void end(int rank);
  /// A rank's body has thrown.
  void fail(int rank, const std::string& why);

  // The rest is called with the lock held.
  using Lock = std::unique_lock<std::mutex>;

  bool failed() const { return failed_; }
  const std::string& failure() const { return failure_; }
  void fail_all(const std::string& why);

  void post(Post& post);
  /// Takes it out again. Waits if its bytes are being copied; the other side stays incomplete.
  void withdraw(Post& post, Lock& lock);
  /// Copies a matched message.
  void copy(Post& post, Lock& lock);
  /// Sleeps until something happens to \p waiting or \p until comes. Sees deadlocks.
  void sleep(Waiting& waiting, Lock& lock, Clock::time_point until);

 private:
  struct Rank {
    std::condition_variable wake;
    Waiting* waiting = nullptr;
    bool ended = false;
    Clock::time_point out_free = {}, in_free = {};  // of its simulated link
  };

  Rank& rank(int index) { return ranks_[static_cast<std::size_t>(index)]; }
  void match(Channel& channel);
  void complete(Post& send, Post& receive);
  void wake_all();
  bool stuck(const Waiting& waiting) const;
  void look_for_deadlock();
  std::string describe_ranks();

  const InProcessOptions options_;
  std::mutex mutex_;
  std::vector<Rank> ranks_;
  std::map<std::tuple<int, int, int>, Channel> channels_;
  std::map<std::tuple<int, std::int64_t, int>, int> contexts_;
  bool failed_ = false;
  std::string failure_;
};

/// `receive from rank 1, 64 bytes`
std::string describe(const Post& post, int peer);

}  // namespace caesura::comm::in_process
