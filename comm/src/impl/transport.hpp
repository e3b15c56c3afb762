// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>
#include <caesura/comm/impl/instance.hpp>
#include <caesura/host_topology.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// What a way to reach other ranks must do: move bytes that lie together. Views, packing, reductions, checks and
// everything else is the same for all of them and sits above.

namespace caesura::comm::impl {

/// Bytes for, or from, one other rank.
struct Message {
  int peer = 0;
  std::byte* data = nullptr;
  std::int64_t bytes = 0;
};

/// Messages that were prepared together: may be started again when complete. The destructor waits, or abandons what
/// cannot complete any more; afterwards nobody touches the buffers.
class Transfer {
 public:
  Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  virtual ~Transfer() = default;

  /// What is sent is in memory for whoever reads it in the order of \p instance (a transport that is not
  /// stream_ordered() is only called after a fence).
  virtual void start(const Instance& instance) = 0;
  /// Whether all messages are complete; does not wait.
  virtual bool test() = 0;
  virtual void wait() = 0;
  /// Ends what is under way, as the destructor does. False, after a failure: somebody may touch the buffers later, so
  /// they must stay for good.
  virtual bool release() { return true; }
};

/// The transport of one rank. Messages from one rank to another arrive in the order of their start. Every failure is an
/// `Error` (communication) that names operation, peer, bytes and elapsed time; after one, all further calls fail.
class Transport {
 public:
  explicit Transport(const CommunicatorOptions& options) : options_(options) {}
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  virtual std::string_view name() const = 0;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Whether messages may lie in device memory, and whether they may lie in host memory.
  virtual bool takes_device_memory() const = 0;
  virtual bool takes_host_memory() const { return true; }
  /// Whether other threads than the one that made it may use it, one at a time.
  virtual bool any_thread() const { return true; }
  /// Whether transfers run in the order of the instance they are started on, without the host.
  virtual bool stream_ordered() const { return false; }

  /// Whether all ranks are known to have the same options, so that nobody has to ask.
  virtual bool options_agreed() const { return false; }

  /// Local: other ranks may prepare at another time, or use a transfer of an earlier call again; only starts happen in
  /// the same order on all ranks. The transfer keeps alive what it needs of the transport.
  ///
  /// At most one message for each other rank and one from each, none for the own. \p operation is for messages of
  /// errors and must live forever.
  virtual std::unique_ptr<Transfer> prepare(std::string_view operation, std::vector<Message> sends,
                                            std::vector<Message> receives) = 0;

  /// The rank's \p own bytes to all others, whose bytes come to \p all (size, by rank; some may have no
  /// bytes). The own bytes are, or will be before the transfer is waited for, where they are to be, in
  /// `all[rank]`; `own.data` may be elsewhere.
  /// By default messages between all pairs.
  virtual std::unique_ptr<Transfer> prepare_all_gather(std::string_view operation, const Message& own,
                                                       std::vector<Message> all);

  virtual std::shared_ptr<Transport> split(int color, int key) = 0;

  /// Equal for two ranks if they share a machine.
  virtual std::string host_key() const { return host_identity(); }

  const CommunicatorOptions& options() const { return options_; }

 protected:
  CommunicatorOptions options_;
};

}  // namespace caesura::comm::impl
