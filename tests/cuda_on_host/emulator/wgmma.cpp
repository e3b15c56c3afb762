// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "wgmma.hpp"

#include "fault.hpp"
#include "product.hpp"
#include <caesura/error.hpp>
#include <caesura/scalar.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace caesura::cuda_on_host {

namespace {

/// A NaN that no sum gives.
constexpr std::uint32_t poison = 0x7fcadeadu;

float to_float(TensorCores::Scalar scalar, std::uint16_t bits) {
  return scalar == TensorCores::Scalar::half ? float(half::from_bits(bits)) : float(bfloat16::from_bits(bits));
}

}  // namespace

TensorCores::TensorCores(Block& block)
    : block_(block),
      threads_(static_cast<std::size_t>(block.threads())),
      groups_(static_cast<std::size_t>((block.threads() + group_threads - 1) / group_threads)) {}

void TensorCores::fail(const char* what, const std::string& why) const {
  throw Fault(text(what, ", thread ", block_.thread(), ": ", why));
}

void TensorCores::fence() { thread().is_fenced = true; }

void TensorCores::add_fenced(const void* registers, std::size_t bytes) {
  const auto* const begin = static_cast<const std::byte*>(registers);
  auto& fenced = thread().fenced;
  std::erase_if(fenced, [&](const Registers& old) { return old.begin == begin; });
  fenced.push_back({begin, std::vector<std::byte>(begin, begin + bytes)});
}

void TensorCores::check_fenced(const void* registers, std::size_t bytes, bool is_content_used, const char* what) {
  const auto* const begin = static_cast<const std::byte*>(registers);
  for (const Registers& fenced : thread().fenced) {
    if (begin < fenced.begin || begin + bytes > fenced.begin + fenced.content.size()) continue;
    if (is_content_used && std::memcmp(begin, fenced.content.data() + (begin - fenced.begin), bytes) != 0) {
      fail("wgmma", text(what, " were written behind wgmma.fence"));
    }
    return;
  }
  fail("wgmma", text(what, " need a wgmma.fence that names them, since the last wait"));
}

void TensorCores::check_untouched(const Accumulator& accumulator) const {
  for (std::size_t i = 0; i < accumulator.value.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(accumulator.registers[i]) != poison) {
      fail("wgmma", "its accumulators were written before the wait");
    }
  }
}

TensorCores::Accumulator& TensorCores::accumulator(float* registers, int count, bool is_content_used) {
  const auto size = static_cast<std::size_t>(count);
  for (Accumulator& old : thread().accumulators) {
    if (old.registers != registers) continue;
    if (old.value.size() != size) fail("wgmma", "its accumulators belong to a product of another shape that goes on");
    check_untouched(old);
    return old;
  }
  check_fenced(registers, size * sizeof(float), is_content_used, "accumulators");
  thread().accumulators.push_back({registers, std::vector<float>(registers, registers + size), 0});
  std::fill_n(registers, size, std::bit_cast<float>(poison));
  return thread().accumulators.back();
}

SharedMemory::Pieces TensorCores::pieces_of(const Operand& operand, int extent, const char* what) const {
  // PTX 9.7.15.5.1.2: fields in units of 16 bytes.
  const auto field = [&](int shift) { return static_cast<std::uint32_t>(operand.descriptor >> shift & 0x3fff) * 16; };
  const std::uint32_t start = field(0), leading = field(16), stride = field(32);
  const auto mode = static_cast<unsigned>(operand.descriptor >> 62);
  constexpr std::uint32_t spans[] = {16, 128, 64, 32};
  const std::uint32_t span = spans[mode], row_pieces = span / 16;
  if ((operand.descriptor >> 49 & 7) != 0) fail(what, "its base offset is not 0");
  if (mode != 0 && start / 128 % row_pieces != 0) {
    fail(what, text("operand at shared byte ", std::int64_t{start} - SharedMemory::base,
                    ": must be in the first row of its swizzle's pattern"));
  }
  SharedMemory::Pieces result;
  const auto add = [&](std::uint32_t address) {
    // Bits 4 to 6 are combined with 7 to 9, as many as the span has.
    result.push_back(address ^ ((address / 128 % row_pieces) * 16));
  };
  const auto pieces = static_cast<std::uint32_t>(extent) / 8;
  if (!operand.is_mn_major) {
    for (std::uint32_t i = 0; i < 8 * pieces; ++i) {
      for (std::uint32_t j = 0; j < 2; ++j) {
        add(start + i % 8 * span + i / 8 * stride + j * (mode == 0 ? leading : 16));
      }
    }
    return result;
  }
  for (std::uint32_t i = 0; i < pieces; ++i) {
    for (std::uint32_t k = 0; k < 16; ++k) {
      add(mode == 0 ? start + i * stride + k % 8 * 16 + k / 8 * leading
                    : start + i % row_pieces * 16 + i / row_pieces * leading + k % 8 * span + k / 8 * stride);
    }
  }
  return result;
}

void TensorCores::multiply(const Product& product, float* accumulators, const std::uint32_t* registers) {
  Thread& mine = thread();
  Group& group = this->group();
  if (block_.thread() / group_threads * group_threads + group_threads > block_.threads()) {
    fail("wgmma", "it is not in a whole warpgroup");
  }
  if (!mine.is_fenced) fail("wgmma", "needs a wgmma.fence, at first and since the last wait");
  if (registers) check_fenced(registers, 16, true, "registers of a");
  if (mine.started == group.first + group.products.size()) {
    group.products.emplace_back().product = product;
    group.products.back().first_thread = block_.thread() / group_threads * group_threads;
    if (registers) group.products.back().left.resize(rows * depth);
  }
  Started& started = group.products[mine.started - group.first];
  if (started.product != product) fail("wgmma", "its operands are not those of other threads of its warpgroup");

  const int lane = block_.thread() % 32, warp = block_.thread() / 32 % 4;
  if (registers) {  // as for mma.m16n8k16
    for (int i = 0; i < 8; ++i) {
      const int row = 16 * warp + lane / 4 + 8 * (i / 2 % 2), k = 2 * (lane % 4) + i % 2 + 8 * (i / 4);
      const int at = row * depth + k;
      started.left[static_cast<std::size_t>(at)] =
          to_float(product.scalar, static_cast<std::uint16_t>(registers[i / 2] >> 16 * (i % 2)));
    }
  }
  Accumulator& accumulator = this->accumulator(accumulators, product.columns / 2, product.accumulates);
  accumulator.last = mine.started;
  started.accumulators[static_cast<std::size_t>(block_.thread() % group_threads)] = &accumulator;
  ++mine.started;
  if (++started.arrived < group_threads) return;
  if (!product.has_registers) {
    started.a = pieces_of(product.a, rows, "wgmma, a");
    block_.shared().begin_async_read(started.first_thread, group_threads, started.a, "wgmma, a");
  }
  started.b = pieces_of(product.b, product.columns, "wgmma, b");
  block_.shared().begin_async_read(started.first_thread, group_threads, started.b, "wgmma, b");
}

void TensorCores::compute(Started& started) {
  const Product& product = started.product;
  const auto columns = static_cast<std::size_t>(product.columns);
  const auto gather = [&](const SharedMemory::Pieces& pieces, bool is_mn_major, std::size_t mn_step,
                          std::size_t k_step) {
    std::vector<float> result(pieces.size() * 8);
    for (std::size_t piece = 0; piece < pieces.size(); ++piece) {
      std::uint16_t values[8];
      std::memcpy(values, block_.shared().at(pieces[piece]), sizeof values);
      for (std::size_t i = 0; i < 8; ++i) {
        const std::size_t mn = is_mn_major ? piece / depth * 8 + i : piece / 2;
        const std::size_t k = is_mn_major ? piece % depth : piece % 2 * 8 + i;
        result[mn * mn_step + k * k_step] = to_float(product.scalar, values[i]);
      }
    }
    return result;
  };
  if (!product.has_registers) started.left = gather(started.a, product.a.is_mn_major, depth, 1);
  const std::vector<float> right = gather(started.b, product.b.is_mn_major, 1, columns);
  std::vector<float> sum(rows * columns);
  add_product(sum.data(), started.left.data(), right.data(), rows, product.columns, depth);
  for (std::size_t thread = 0; thread < group_threads; ++thread) {
    std::vector<float>& d = started.accumulators[thread]->value;
    const std::size_t first_row = thread / 32 * 16 + thread % 32 / 4, first_column = thread % 4 * 2;
    for (std::size_t i = 0; i < d.size(); ++i) {
      const float more = sum[(first_row + i / 2 % 2 * 8) * columns + i / 4 * 8 + first_column + i % 2];
      d[i] = product.accumulates ? d[i] + more : more;
    }
  }
}

bool TensorCores::advance(std::mt19937_64& random) {
  const std::size_t first = random() % groups_.size();
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    Group& group = groups_[(first + i) % groups_.size()];
    const std::size_t next = group.done - group.first;
    if (next >= group.products.size() || group.products[next].arrived < group_threads) continue;
    compute(group.products[next]);
    ++group.done;
    return true;
  }
  return false;
}

void TensorCores::commit() { thread().group_ends.push_back(thread().started); }

void TensorCores::wait(int pending) {
  Thread& mine = thread();
  Group& group = this->group();
  const auto groups = static_cast<int>(mine.group_ends.size());
  const std::uint64_t until = groups > pending ? mine.group_ends[static_cast<std::size_t>(groups - pending - 1)] : 0;
  const Block::Ready is_done = [](const void* done, std::uint64_t wanted) {
    return *static_cast<const std::uint64_t*>(done) >= wanted;
  };
  block_.wait("wgmma.wait_group", is_done, &group.done, until);
  block_.collective<char>("wgmma.wait_group", char{},
                          [&](const char*, char*) { leave(group, block_.thread() / 32, until); });
  mine.waited = std::max(mine.waited, until);
  mine.is_fenced = false;
  mine.fenced.clear();
  for (Accumulator& accumulator : mine.accumulators) {
    if (accumulator.last >= until) continue;
    check_untouched(accumulator);
    std::copy(accumulator.value.begin(), accumulator.value.end(), accumulator.registers);
    mine.ready.push_back({accumulator.registers, {}, 0});
  }
  std::erase_if(mine.accumulators, [&](const Accumulator& accumulator) { return accumulator.last < until; });
}

void TensorCores::leave(Group& group, int warp, std::uint64_t until) {
  // The tensor core of the warp has read; now the warp knows that, and may tell others.
  const int agent = block_.threads() + SharedMemory::mbarrier_agents + warp;
  std::uint64_t& waited = group.waited[static_cast<std::size_t>(warp % 4)];
  for (; waited < until; ++waited) {
    Started& started = group.products[waited - group.first];
    block_.shared().mark_read(agent, started.a);
    block_.shared().mark_read(agent, started.b);
    ++started.warps_waited;
  }
  Clocks::Vector known = block_.clocks().nothing();
  block_.clocks().release(agent, known);
  for (int lane = 0; lane < 32; ++lane) block_.clocks().acquire(warp * 32 + lane, known);
  while (!group.products.empty() && group.products.front().warps_waited == 4) {
    block_.shared().end_async_read(group.products.front().a);
    block_.shared().end_async_read(group.products.front().b);
    group.products.pop_front();
    ++group.first;
  }
}

void TensorCores::add_ready(const void* registers, std::size_t bytes) {
  Thread& mine = thread();
  const auto* const begin = static_cast<const std::byte*>(registers);
  const auto is_inside = [&](const Accumulator& accumulator) {
    const auto* const at = reinterpret_cast<const std::byte*>(accumulator.registers);
    return at >= begin && at < begin + bytes;
  };
  if (std::any_of(mine.accumulators.begin(), mine.accumulators.end(), is_inside)) {
    fail("wgmma.wait_group", "it names accumulators of products that go on");
  }
  std::erase_if(mine.ready, is_inside);
}

void TensorCores::end_wait() {
  if (!thread().ready.empty()) fail("wgmma.wait_group", "it does not name all accumulators that are there now");
}

void TensorCores::finish() {
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i].waited < threads_[i].started)
      throw Fault(text("thread ", i, " ended without a wait for its wgmma"));
  }
}

}  // namespace caesura::cuda_on_host
