// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/progress.hpp"
#include "impl/row_kernels.hpp"
#include "impl/schedule.hpp"
#include <caesura/comm/row_exchange.hpp>
#include <caesura/impl/lowered_storage.hpp>

#include <Kokkos_Core.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

namespace caesura::impl {

/// Rows of bytes, as they are sent and received: each row holds `heads` times `width` scalars.
template <class Space>
class RowBuffer {
 public:
  using View = Kokkos::View<std::byte**, Kokkos::LayoutRight, typename Space::memory_space>;

  RowBuffer() = default;
  RowBuffer(const Space& space, const char* label, std::int64_t rows, std::int64_t heads, std::int64_t width,
            ScalarType type)
      : heads_(heads), width_(width), type_(type) {
    const std::int64_t row_bytes = heads * width * bytes_of(type);
    require_memory<typename Space::memory_space>(rows * row_bytes, label);
    // Zeros: rows that nobody sees are read by vectors beside others.
    bytes_ = View(Kokkos::view_alloc(space, std::string(label)), static_cast<std::size_t>(rows),
                  static_cast<std::size_t>(row_bytes));
  }

  const View& bytes() const { return bytes_; }
  std::int64_t rows() const { return static_cast<std::int64_t>(bytes_.extent(0)); }
  std::int64_t memory_bytes() const { return static_cast<std::int64_t>(bytes_.size()); }

  /// (rows, heads, end - begin): some of each head's scalars.
  ViewRef columns(std::int64_t begin, std::int64_t end) const {
    return ViewRef::from_memory<typename Space::memory_space>(
        bytes_.data() + begin * bytes_of(type_), static_cast<ElementType>(type_), {rows(), heads_, end - begin},
        {heads_ * width_, width_, 1});
  }
  /// (rows, heads): one of them.
  ViewRef column(std::int64_t at) const {
    return ViewRef::from_memory<typename Space::memory_space>(bytes_.data() + at * bytes_of(type_),
                                                              static_cast<ElementType>(type_), {rows(), heads_},
                                                              {heads_ * width_, width_});
  }
  ViewRef all() const { return columns(0, width_); }

 private:
  std::int64_t heads_ = 0, width_ = 0;
  ScalarType type_ = ScalarType::float32;
  View bytes_;
};

/// Where the transfers of one payload and pass begin and end.
template <class Space>
struct BufferPair {
  const RowBuffer<Space>* send = nullptr;
  const RowBuffer<Space>* receive = nullptr;  ///< of what is to be added: the scratch
  ViewRef sum;                                ///< what scratch rows on their way are added to
};

/// By payload.
template <class Space>
using StageBuffers = std::array<BufferPair<Space>, 3>;

/// The transfers of one stage: its hops one behind the other. Runs on a thread of its own, with an instance of its own.
template <class Space>
class StageTransfer : public Job {
 public:
  /// Where pack and add kernels of transfers run beside computations: on hosts one thread, the one that transfers.
#if defined(KOKKOS_ENABLE_SERIAL)
  using TransferSpace =
      std::conditional_t<Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Space::memory_space>::accessible,
                         Kokkos::Serial, Space>;
#else
  using TransferSpace = Space;
#endif

  using Clock = std::chrono::steady_clock;

  /// Collective.
  StageTransfer(const Space& space, const comm::Communicator& communicator, const LocalStage& stage);

  /// What the next run sends and receives, and which payloads it runs at all.
  void use(const TransferSpace& space, const StageBuffers<Space>& buffers, bool with_outputs);
  void start() override;
  void finish() override;

  /// What came in to be added or merged and no later hop needed: whoever computes on these rows calls it behind the
  /// stage, in the order of hops, payloads, peers.
  template <class Body>
  void for_each_arrival(const Body& body) const {
    for (const Hop& hop : hops_) {
      for (const PreparedMovement& movement : hop) {
        for (const RowPairs<Space>& pairs : movement.own_additions) body(movement.payload, pairs, *movement.scratch);
        if (&hop != &hops_.back()) continue;
        for (const RowPairs<Space>& pairs : movement.additions) body(movement.payload, pairs, *movement.scratch);
      }
    }
  }

  /// When the last run began and ended, in seconds after \p zero.
  double begin_seconds(Clock::time_point zero) const { return std::chrono::duration<double>(begin_ - zero).count(); }
  double end_seconds(Clock::time_point zero) const { return std::chrono::duration<double>(end_ - zero).count(); }

  std::int64_t memory_bytes() const;

 private:
  struct PreparedMovement {
    solver::Payload payload;
    comm::RowExchange exchange;
    std::vector<RowPairs<Space>> additions, own_additions;
    const RowBuffer<Space>* scratch = nullptr;
  };
  using Hop = std::vector<PreparedMovement>;

  void start_hop();
  void finish_hop();

  std::vector<Hop> hops_;
  std::optional<TransferSpace> space_;
  StageBuffers<Space> buffers_;
  bool with_outputs_ = true;
  std::size_t at_ = 0;
  std::vector<comm::Request> requests_;
  std::int64_t list_bytes_ = 0;
  Clock::time_point begin_, end_;
};

}  // namespace caesura::impl
