// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/row_exchange.hpp>

#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>

namespace caesura::testing {
namespace {

using comm::Communicator;

constexpr std::int64_t two_31 = std::int64_t{1} << 31;

/// Bytes of address space; pages that nobody writes cost nothing.
class SparseMemory {
 public:
  explicit SparseMemory(std::int64_t bytes)
      : bytes_(static_cast<std::size_t>(bytes)),
        data_(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  SparseMemory(const SparseMemory&) = delete;
  SparseMemory& operator=(const SparseMemory&) = delete;
  ~SparseMemory() {
    if (valid()) munmap(data_, bytes_);
  }
  bool valid() const { return data_ != MAP_FAILED; }
  template <class Value>
  Value* as() const {
    return static_cast<Value*>(data_);
  }

 private:
  std::size_t bytes_;
  void* data_;
};

/// Of this machine, in bytes.
std::int64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string word; file >> word;) {
    std::int64_t kilobytes = 0;
    if (word == "MemAvailable:" && file >> kilobytes) return kilobytes << 10;
  }
  return 0;
}

bool sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#else
  return false;
#endif
}

/// Runs \p body on two ranks of one communicator: once is enough for gigabytes.
template <class Body>
void on_two(std::int64_t needed, const Body& body) {
  if (sanitized()) GTEST_SKIP() << "sanitizers keep a byte for each few of ours";
  if (available_memory() < needed + (std::int64_t{2} << 30))
    GTEST_SKIP() << "needs " << (needed >> 30) + 2 << " GiB of free memory, there are " << (available_memory() >> 30);
  each_rank([&](const Communicator& communicator) {
    if (communicator.size() != std::max(2, ranks())) return;
    const Communicator two = communicator.split(communicator.rank() < 2 ? 0 : -1);
    if (two.valid()) body(two);
  });
}

TEST(Large, OneMessageOfMoreThanTwoToThe31Bytes) {
  on_two(two_31 + 4096, [](const Communicator& communicator) {
    using Bytes = Kokkos::View<std::uint8_t*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
    constexpr std::int64_t bytes = two_31 + 4099;
    const bool sends = communicator.rank() == 0;
    const SparseMemory memory(bytes);
    ASSERT_TRUE(memory.valid());
    const Bytes rows(memory.as<std::uint8_t>(), static_cast<std::size_t>(bytes)), none;
    const std::int64_t marks[] = {0, 4095, two_31 - 1, two_31, two_31 + 1, bytes - 1};
    if (sends) {
      for (const std::int64_t at : marks) rows(static_cast<std::size_t>(at)) = static_cast<std::uint8_t>(1 + at % 251);
      comm::send_receive(rank_space(), communicator, rows, none, {.sends = {{1, 0, bytes}}, .receives = {}}).wait();
    } else {
      comm::send_receive(rank_space(), communicator, none, rows, {.sends = {}, .receives = {{0, 0, bytes}}}).wait();
      for (const std::int64_t at : marks) EXPECT_EQ(rows(static_cast<std::size_t>(at)), 1 + at % 251) << at;
      EXPECT_EQ(rows(12345), 0);
      EXPECT_EQ(communicator.bytes_received(), bytes);
    }
  });
}

TEST(Large, MoreThanTwoToThe31ElementsAndRowsFarBehind) {
  // A View of 2^31 + 24 elements in rows of 8, of which a few at its ends and in its middle go through the packing kernel.
  on_two(0, [](const Communicator& communicator) {
    using Wide =
        Kokkos::View<std::uint16_t**, Kokkos::LayoutRight, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
    constexpr std::int64_t rows = two_31 / 8 + 3;
    const SparseMemory memory(rows * 16);
    ASSERT_TRUE(memory.valid());
    const Wide view(memory.as<std::uint16_t>(), static_cast<std::size_t>(rows), 8);
    ASSERT_GT(view.size(), static_cast<std::size_t>(two_31));
    const std::int64_t blocks[] = {0, rows / 2, rows - 2};
    const int peer = 1 - communicator.rank();
    comm::RowTransfers transfers;
    for (const std::int64_t begin : blocks) {
      if (communicator.rank() == 0) transfers.sends.push_back({peer, begin, begin + 2});
      if (communicator.rank() == 1) transfers.receives.push_back({peer, begin, begin + 2});
    }
    const auto element = [&](std::int64_t row, std::size_t i) -> std::uint16_t& {
      return view(static_cast<std::size_t>(row), i);
    };
    if (communicator.rank() == 0)
      for (const std::int64_t begin : blocks)
        for (std::size_t i = 0; i < 8; ++i)
          element(begin + 1, i) = static_cast<std::uint16_t>(begin % 1000 + 10 * static_cast<std::int64_t>(i));
    comm::send_receive(rank_space(), communicator, view, view, transfers).wait();
    for (const std::int64_t begin : blocks)
      for (std::size_t i = 0; i < 8; ++i)
        EXPECT_EQ(element(begin + 1, i), static_cast<std::uint16_t>(begin % 1000 + 10 * static_cast<std::int64_t>(i)))
            << begin;
    EXPECT_EQ(element(2, 0), 0);
  });
}

}  // namespace
}  // namespace caesura::testing
