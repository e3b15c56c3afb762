// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "bulk_copies.hpp"

#include "fault.hpp"
#include <caesura/error.hpp>
#include <caesura/scalar.hpp>

#include <algorithm>
#include <cstring>

namespace caesura::cuda_on_host {

namespace {

template <class Scalar>
void add(std::byte* to, const std::byte* from, int bytes) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(bytes) / sizeof(Scalar); ++i) {
    Scalar sum, more;
    std::memcpy(&sum, to + i * sizeof(Scalar), sizeof(Scalar));
    std::memcpy(&more, from + i * sizeof(Scalar), sizeof(Scalar));
    sum = Scalar(float(sum) + float(more));
    std::memcpy(to + i * sizeof(Scalar), &sum, sizeof(Scalar));
  }
}

bool is_multiple(const void* pointer, std::uintptr_t of) { return reinterpret_cast<std::uintptr_t>(pointer) % of == 0; }

}  // namespace

void check(const TensorMap& map) {
  const auto refuse_unless = [](bool ok, const char* rule) {
    require(ok, [&] { return text("make_tensor_map: ", rule); });
  };
  refuse_unless(is_multiple(map.data, 16), "data must be a multiple of 16");
  refuse_unless(map.box[0] * map.scalar_bytes % 16 == 0, "the box's dimension 0 must have a multiple of 16 bytes");
  refuse_unless(map.swizzle_bytes == 16 || map.box[0] * map.scalar_bytes == map.swizzle_bytes,
                "the box's dimension 0 must have as many bytes as the swizzle");
  for (std::size_t i = 0; i < static_cast<std::size_t>(map.rank); ++i) {
    refuse_unless(map.box[i] >= 1 && map.box[i] <= 256, "each extent of the box must be 1 to 256");
    refuse_unless(map.extents[i] >= 1 && map.extents[i] <= std::int64_t{1} << 32, "each extent must be 1 to 2^32");
    refuse_unless(i == 0 || map.strides[i] % 16 == 0, "each stride must be a multiple of 16");
  }
}

BulkCopies::BulkCopies(Block& block)
    : block_(block),
      barriers_(block.hardware<Mbarriers>()),
      threads_(static_cast<std::size_t>(block.threads())),
      landed_(block.clocks().nothing()) {}

void BulkCopies::fail(const char* what, const std::string& why) const {
  throw Fault(text(what, ", thread ", block_.thread(), ": ", why));
}

BulkCopies::Copy BulkCopies::contiguous(std::uint32_t shared, const void* global, int bytes, const char* what) const {
  if (bytes <= 0 || bytes % piece_bytes != 0) fail(what, text("bytes = ", bytes, ": must be a multiple of 16"));
  if (!is_multiple(global, piece_bytes)) fail(what, text("global address ", global, ": must be a multiple of 16"));
  Copy result;
  std::byte* const first = static_cast<std::byte*>(const_cast<void*>(global));
  for (int at = 0; at < bytes; at += piece_bytes) {
    result.shared.push_back(shared + static_cast<std::uint32_t>(at));
    result.global.push_back({first + at, piece_bytes});
  }
  return result;
}

BulkCopies::Copy BulkCopies::box(std::uint32_t shared, const TensorMap& map, const Coordinates& first,
                                 const char* what) const {
  const std::uint32_t pattern = map.swizzle_bytes == 16 ? 128u : static_cast<std::uint32_t>(8 * map.swizzle_bytes);
  if ((shared - SharedMemory::base) % pattern != 0) {
    fail(what, text("shared byte ", std::int64_t{shared} - SharedMemory::base, ": must be a multiple of ", pattern));
  }
  Copy result;
  const std::int64_t row_pieces = map.box[0] * map.scalar_bytes / piece_bytes;
  std::uint32_t linear = shared;
  Coordinates at{};  // in the box; dimension 0 in pieces
  const int pieces = map.box_bytes() / piece_bytes;
  for (int piece = 0; piece < pieces; ++piece, linear += piece_bytes) {
    // The row of the pattern is the address in units of a row of 128 bytes: PTX 5.5.7.
    const std::uint32_t row = linear / 128 % 8;
    std::uint32_t column = linear / piece_bytes % 8;
    if (map.swizzle_bytes == 128) column ^= row;
    if (map.swizzle_bytes == 64) column ^= row % 4;
    if (map.swizzle_bytes == 32) column ^= row % 2;
    result.shared.push_back(linear / 128 * 128 + column * piece_bytes);

    const std::int64_t x = first[0] + std::int64_t{at[0]} * piece_bytes / map.scalar_bytes;
    std::int64_t offset = x * map.scalar_bytes;
    bool is_inside = x >= 0 && x < map.extents[0];
    for (std::size_t i = 1; i < static_cast<std::size_t>(map.rank); ++i) {
      const std::int64_t y = std::int64_t{first[i]} + at[i];
      is_inside = is_inside && y >= 0 && y < map.extents[i];
      offset += y * map.strides[i];
    }
    const std::int64_t left = (map.extents[0] - x) * map.scalar_bytes;
    result.global.push_back(is_inside ? Piece{map.data + offset, static_cast<int>(std::min<std::int64_t>(left, 16))}
                                      : Piece{});
    for (std::size_t i = 0; ++at[i] == (i == 0 ? row_pieces : map.box[i]) && i + 1 < 4; ++i) at[i] = 0;
  }
  return result;
}

void BulkCopies::load(std::uint32_t to, const void* from, int bytes, std::uint32_t barrier) {
  begin_load(contiguous(to, from, bytes, "cp.async.bulk"), barrier, "cp.async.bulk");
}

void BulkCopies::load(std::uint32_t to, const TensorMap& map, const Coordinates& first, std::uint32_t barrier) {
  if (first[0] * map.scalar_bytes % piece_bytes != 0 && first[0] < 0) {
    fail("cp.async.bulk.tensor", text("x = ", first[0], ": the emulator needs a multiple of 16 bytes below zero"));
  }
  begin_load(box(to, map, first, "cp.async.bulk.tensor"), barrier, "cp.async.bulk.tensor");
}

void BulkCopies::begin_load(Copy copy, std::uint32_t barrier, const char* what) {
  copy.agent = barriers_.agent_for_copy(barrier, what);
  copy.barrier = barrier;
  block_.shared().begin_async_write(block_.thread(), copy.shared, what);
  loads_.push_back(std::move(copy));
}

void BulkCopies::land(const Copy& copy) {
  for (std::size_t i = 0; i < copy.shared.size(); ++i) {
    std::array<std::byte, piece_bytes> bytes{};  // zeros outside of the tensor
    if (copy.global[i].bytes > 0) {
      std::memcpy(bytes.data(), copy.global[i].global, static_cast<std::size_t>(copy.global[i].bytes));
    }
    block_.shared().land(copy.shared[i], bytes.data(), piece_bytes);
  }
  block_.shared().finish_async_write(copy.agent, copy.shared);
  landed_[static_cast<std::size_t>(copy.agent)] = block_.clocks().now(copy.agent).time;
  barriers_.complete(copy.barrier, static_cast<std::int64_t>(copy.shared.size()) * piece_bytes);
}

void BulkCopies::store(void* to, std::uint32_t from, int bytes, Store how) {
  const char* const what = how == Store::copy ? "cp.async.bulk" : "cp.reduce.async.bulk";
  begin_store(contiguous(from, to, bytes, what), how, what);
}

void BulkCopies::store(const TensorMap& map, const Coordinates& first, std::uint32_t from, Store how) {
  const char* const what = how == Store::copy ? "cp.async.bulk.tensor" : "cp.reduce.async.bulk.tensor";
  begin_store(box(from, map, first, what), how, what);
}

void BulkCopies::begin_store(Copy copy, Store how, const char* what) {
  Thread& thread = threads_[static_cast<std::size_t>(block_.thread())];
  block_.shared().begin_async_read(block_.thread(), 1, copy.shared, what);
  copy.how = how;
  copy.group = thread.group;
  thread.stores.push_back(std::move(copy));
}

void BulkCopies::write_global(Copy& copy) {
  for (std::size_t i = 0; i < copy.shared.size(); ++i) {
    const Piece& piece = copy.global[i];
    const std::byte* const from = block_.shared().at(copy.shared[i]);
    switch (copy.how) {
      case Store::copy: std::copy_n(from, piece.bytes, piece.global); break;
      case Store::add_float: add<float>(piece.global, from, piece.bytes); break;
      case Store::add_half: add<half>(piece.global, from, piece.bytes); break;
      case Store::add_bfloat16: add<bfloat16>(piece.global, from, piece.bytes); break;
    }
  }
  copy.is_done = true;
}

void BulkCopies::commit() { ++threads_[static_cast<std::size_t>(block_.thread())].group; }

void BulkCopies::wait(int pending) {
  Thread& thread = threads_[static_cast<std::size_t>(block_.thread())];
  const auto first_pending = std::find_if(thread.stores.begin(), thread.stores.end(),
                                          [&](const Copy& copy) { return copy.group >= thread.group - pending; });
  for (auto copy = thread.stores.begin(); copy != first_pending; ++copy) {
    if (!copy->is_done) write_global(*copy);
    block_.shared().end_async_read(copy->shared);
    block_.shared().mark_read(block_.thread(), copy->shared);
  }
  thread.stores.erase(thread.stores.begin(), first_pending);
}

bool BulkCopies::advance(std::mt19937_64& random) {
  const std::size_t first = random() % threads_.size();
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    for (Copy& store : threads_[(first + i) % threads_.size()].stores) {
      if (!store.is_done && random() % 2 == 0) write_global(store);
    }
  }
  if (loads_.empty()) return false;
  std::swap(loads_[random() % loads_.size()], loads_.back());
  const Copy load = std::move(loads_.back());
  loads_.pop_back();
  land(load);
  return true;
}

void BulkCopies::finish() {
  if (!loads_.empty()) {
    throw Fault(text("the block ends while a bulk copy to shared byte ",
                     loads_.front().shared.front() - SharedMemory::base, " is in flight"));
  }
  for (int agent = 0; agent < block_.clocks().agents(); ++agent) {
    const std::uint32_t time = landed_[static_cast<std::size_t>(agent)];
    bool is_known = time == 0;
    for (int i = 0; i < block_.threads() && !is_known; ++i) is_known = block_.clocks().knows(i, {agent, time});
    if (!is_known) throw Fault("the block ends, and no thread waited for a bulk copy into shared memory");
  }
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (!threads_[i].stores.empty()) {
      throw Fault(text("thread ", i, " ended without a wait for its bulk copies out of shared memory"));
    }
  }
}

}  // namespace caesura::cuda_on_host
