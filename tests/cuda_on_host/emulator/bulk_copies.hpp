// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "block.hpp"
#include "mbarriers.hpp"
#include "tensor_map.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace caesura::cuda_on_host {

/// The copy engine: `cp.async.bulk`, of bytes and of tensors' boxes. Loads land, and stores are done, at random moments.
class BulkCopies : public Hardware {
 public:
  explicit BulkCopies(Block& block);

  enum class Store { copy, add_float, add_half, add_bfloat16 };
  using Coordinates = std::array<int, 4>;

  void load(std::uint32_t to, const void* from, int bytes, std::uint32_t barrier);
  void load(std::uint32_t to, const TensorMap& map, const Coordinates& first, std::uint32_t barrier);
  void store(void* to, std::uint32_t from, int bytes, Store how);
  void store(const TensorMap& map, const Coordinates& first, std::uint32_t from, Store how);
  void commit();
  void wait(int pending);

  bool advance(std::mt19937_64& random) override;
  void finish() override;

 private:
  static constexpr int piece_bytes = 16;
  /// Where the pieces of shared memory have their bytes in global memory: the first \p bytes of each piece.
  struct Piece {
    std::byte* global = nullptr;
    int bytes = 0;
  };
  struct Copy {
    SharedMemory::Pieces shared;
    std::vector<Piece> global;  // one for each
    // Loads
    int agent = 0;
    std::uint32_t barrier = 0;
    // Stores
    Store how = Store::copy;
    std::int64_t group = 0;
    bool is_done = false;
  };
  struct Thread {
    std::vector<Copy> stores;  ///< not waited for, oldest first
    std::int64_t group = 0;    ///< the one that is being filled
  };

  Copy contiguous(std::uint32_t shared, const void* global, int bytes, const char* what) const;
  Copy box(std::uint32_t shared, const TensorMap& map, const Coordinates& first, const char* what) const;
  void begin_load(Copy copy, std::uint32_t barrier, const char* what);
  void begin_store(Copy copy, Store how, const char* what);
  void land(const Copy& copy);
  void write_global(Copy& copy);
  [[noreturn]] void fail(const char* what, const std::string& why) const;

  Block& block_;
  Mbarriers& barriers_;
  std::vector<Copy> loads_;  // in flight
  std::vector<Thread> threads_;
  Clocks::Vector landed_;  // by agent: when its last load did
};

}  // namespace caesura::cuda_on_host
