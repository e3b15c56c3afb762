// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <nccl/check.hpp>
#include <nccl/transport.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace caesura::comm::impl {

namespace {

using Returned = NcclConnection::Returned;

/// The stream that a transfer is to be ordered on.
cudaStream_t stream_of(const Instance& instance, const NcclWork& work, int device) {
  std::optional<cudaStream_t> stream;
  instance.visit([&](const auto& space) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(space)>, Kokkos::Cuda>) {
      require(space.cuda_device() == device, [&] {
        return text(work.operation, ": space is on CUDA device ", space.cuda_device(),
                    ": must be on that of the communicator, ", device);
      });
      stream = space.cuda_stream();
    }
  });
  require(stream.has_value(),
          [&] { return text(work.operation, ": space: must be Kokkos::Cuda: NCCL orders its work on a stream"); });
  return *stream;
}

/// A group of NCCL's calls, to be launched again and again.
class NcclTransfer final : public Transfer {
 public:
  using Call = std::function<Returned(ncclComm_t, cudaStream_t)>;

  NcclTransfer(std::shared_ptr<NcclConnection> connection, NcclWork work, Call call)
      : connection_(std::move(connection)),
        work_(std::make_shared<const NcclWork>(std::move(work))),
        call_(std::move(call)) {}

  ~NcclTransfer() override {
    // In its stream; whoever frees the buffers does so in the stream's order, or after a fence, as Kokkos does.
    try {
      wait();
    } catch (const Error&) {  // aborted: nothing runs any more
    }
  }

  void start(const Instance& instance) override {
    const cudaStream_t stream = stream_of(instance, *work_, connection_->device());
    if (!call_) return;
    // By reference: a std::function of two words is kept in place, without an allocation.
    const auto call = [this, stream](ncclComm_t comm) { return call_(comm, stream); };
    connection_->launch(work_, stream, std::cref(call));
    launching_ = true;
  }

  bool test() override {
    if (launching_ && connection_->launched(*work_)) launching_ = false;
    return !launching_;
  }

  void wait() override {
    if (std::exchange(launching_, false)) connection_->wait_launched(*work_);
  }

 private:
  std::shared_ptr<NcclConnection> connection_;
  std::shared_ptr<const NcclWork> work_;
  Call call_;  // empty: nothing moves
  bool launching_ = false;
};

NcclWork work_of(std::string_view operation, int rank, const std::vector<Message>& sends,
                 const std::vector<Message>& receives) {
  NcclWork work{.operation = operation, .rank = rank, .to = {}, .from = {}};
  for (const Message& message : sends) {
    work.to.push_back(message.peer);
    work.bytes_sent += message.bytes;
  }
  for (const Message& message : receives) {
    work.from.push_back(message.peer);
    work.bytes_received += message.bytes;
  }
  return work;
}

void drop_empty(std::vector<Message>& messages) {
  std::erase_if(messages, [](const Message& message) { return message.bytes == 0; });
}

Returned send_and_receive(ncclComm_t comm, cudaStream_t stream, const std::vector<Message>& sends,
                          const std::vector<Message>& receives) {
  for (const Message& message : sends) {
    const ncclResult_t code =
        ncclSend(message.data, static_cast<std::size_t>(message.bytes), ncclChar, message.peer, comm, stream);
    if (code != ncclSuccess && code != ncclInProgress) return {code, "ncclSend"};
  }
  for (const Message& message : receives) {
    const ncclResult_t code =
        ncclRecv(message.data, static_cast<std::size_t>(message.bytes), ncclChar, message.peer, comm, stream);
    if (code != ncclSuccess && code != ncclInProgress) return {code, "ncclRecv"};
  }
  return {};
}

/// One broadcast for each rank that has something.
Returned broadcast_all(ncclComm_t comm, cudaStream_t stream, int rank, const Message& own,
                       const std::vector<Message>& all) {
  for (std::size_t root = 0; root < all.size(); ++root) {
    const Message& message = all[root];
    if (message.bytes == 0) continue;
    const bool mine = static_cast<int>(root) == rank;
    const ncclResult_t code =
        ncclBroadcast(mine ? own.data : message.data, message.data, static_cast<std::size_t>(message.bytes), ncclChar,
                      static_cast<int>(root), comm, stream);
    if (code != ncclSuccess && code != ncclInProgress) return {code, "ncclBroadcast"};
  }
  return {};
}

/// Whether the parts are equally long and lie one behind the other.
bool even(const std::vector<Message>& all) {
  return std::adjacent_find(all.begin(), all.end(), [](const Message& a, const Message& b) {
           return a.bytes != b.bytes || a.data + a.bytes != b.data;
         }) == all.end();
}

}  // namespace

NcclTransport::NcclTransport(int rank, int size, std::shared_ptr<NcclConnection> connection,
                             const CommunicatorOptions& options)
    : Transport(options), rank_(rank), size_(size), connection_(std::move(connection)) {}

std::unique_ptr<Transfer> NcclTransport::prepare(std::string_view operation, std::vector<Message> sends,
                                                 std::vector<Message> receives) {
  drop_empty(sends);
  drop_empty(receives);
  NcclWork work = work_of(operation, rank_, sends, receives);
  NcclTransfer::Call call;
  if (!sends.empty() || !receives.empty()) {
    call = [sends = std::move(sends), receives = std::move(receives)](ncclComm_t comm, cudaStream_t stream) {
      return send_and_receive(comm, stream, sends, receives);
    };
  }
  return std::make_unique<NcclTransfer>(connection_, std::move(work), std::move(call));
}

std::unique_ptr<Transfer> NcclTransport::prepare_all_gather(std::string_view operation, const Message& own,
                                                            std::vector<Message> all) {
  NcclWork work{.operation = operation, .rank = rank_, .to = {}, .from = {}};
  bool nothing = true;
  for (int peer = 0; peer < size_; ++peer) {
    const Message& message = all[static_cast<std::size_t>(peer)];
    nothing = nothing && message.bytes == 0;
    if (peer == rank_) continue;
    work.to.push_back(peer);
    work.from.push_back(peer);
    work.bytes_sent += own.bytes;
    work.bytes_received += message.bytes;
  }
  NcclTransfer::Call call;
  if (!nothing && even(all)) {
    call = [own, to = all.front().data](ncclComm_t comm, cudaStream_t stream) -> Returned {
      return {ncclAllGather(own.data, to, static_cast<std::size_t>(own.bytes), ncclChar, comm, stream),
              "ncclAllGather"};
    };
  } else if (!nothing) {
    call = [rank = rank_, own, all = std::move(all)](ncclComm_t comm, cudaStream_t stream) {
      return broadcast_all(comm, stream, rank, own, all);
    };
  }
  return std::make_unique<NcclTransfer>(connection_, std::move(work), std::move(call));
}

std::shared_ptr<Transport> NcclTransport::split(int color, int key) {
  const NcclWork work{.operation = "split", .rank = rank_, .to = {}, .from = {}};
  auto child = std::make_shared<NcclConnection>(rank_, connection_->device(), options_.timeout);
  connection_->split(work, color, key, *child);
  if (color < 0) return nullptr;
  int rank = 0, size = 0;
  child->place(work, rank, size);
  return std::make_shared<NcclTransport>(rank, size, std::move(child), options_);
}

}  // namespace caesura::comm::impl
