// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "block.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <vector>

namespace caesura::cuda_on_host {

/// `wgmma`: products of warpgroups. Each is done at a random moment between its start and the wait; until the wait its
/// accumulators are NaN and its operands in shared memory may not be written.
class TensorCores : public Hardware {
 public:
  explicit TensorCores(Block& block);

  enum class Scalar { half, bfloat16 };
  struct Operand {
    std::uint64_t descriptor = 0;
    bool is_mn_major = false;
    bool operator==(const Operand&) const = default;
  };
  /// What all threads of a warpgroup must say alike.
  struct Product {
    Scalar scalar = Scalar::half;
    int columns = 0;
    bool accumulates = false;
    bool has_registers = false;  ///< for a
    Operand a, b;
    bool operator==(const Product&) const = default;
  };

  /// \p registers hold a's fragment, or are null.
  void multiply(const Product& product, float* accumulators, const std::uint32_t* registers);
  void commit();

  /// `fence` and `wait` are followed by the arrays that they name.
  void fence();
  void add_fenced(const void* registers, std::size_t bytes);
  void wait(int pending);
  void add_ready(const void* registers, std::size_t bytes);
  void end_wait();

  bool advance(std::mt19937_64& random) override;
  void finish() override;

 private:
  static constexpr int group_threads = 128;
  static constexpr int rows = 64, depth = 16;

  struct Registers {
    const std::byte* begin = nullptr;
    std::vector<std::byte> content;  // at the fence
  };
  /// Accumulators that are not the thread's before a wait.
  struct Accumulator {
    float* registers = nullptr;
    std::vector<float> value;
    std::uint64_t last = 0;  // product that adds to them
  };
  struct Thread {
    std::uint64_t started = 0;              // products
    std::vector<std::uint64_t> group_ends;  // `started` at each commit
    std::uint64_t waited = 0;               // products
    bool is_fenced = false;                 // since the last wait
    std::vector<Registers> fenced;
    std::list<Accumulator> accumulators;  // in flight; products point at them
    std::vector<Accumulator> ready;       // by the wait that goes on
  };
  struct Started {
    Product product;
    int first_thread = 0;
    int arrived = 0;
    int warps_waited = 0;
    SharedMemory::Pieces a, b;
    std::vector<float> left;  // rows x depth, where a is in registers
    std::array<Accumulator*, group_threads> accumulators{};
  };
  struct Group {
    std::deque<Started> products;                                       // those that not all warps have waited for
    std::uint64_t first = 0;                                            // the number of the first of them
    std::uint64_t done = 0;                                             // number
    std::vector<std::uint64_t> waited = std::vector<std::uint64_t>(4);  // by warp
  };

  Thread& thread() { return threads_[static_cast<std::size_t>(block_.thread())]; }
  Group& group() { return groups_[static_cast<std::size_t>(block_.thread() / group_threads)]; }
  void check_fenced(const void* registers, std::size_t bytes, bool is_content_used, const char* what);
  Accumulator& accumulator(float* registers, int count, bool is_content_used);
  void check_untouched(const Accumulator& accumulator) const;
  SharedMemory::Pieces pieces_of(const Operand& operand, int extent, const char* what) const;
  void compute(Started& started);
  void leave(Group& group, int warp, std::uint64_t until);
  [[noreturn]] void fail(const char* what, const std::string& why) const;

  Block& block_;
  std::vector<Thread> threads_;
  std::vector<Group> groups_;
};

}  // namespace caesura::cuda_on_host
