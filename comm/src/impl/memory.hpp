// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/impl/any_view.hpp>
#include <caesura/comm/impl/instance.hpp>
#include <caesura/comm/rows.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace caesura::comm::impl {

class Transport;

enum class MemoryKind : std::uint8_t { host, pinned, device };

/// Memory that is kept for the next time: it only grows.
class Memory {
 public:
  /// Makes it at least \p bytes of \p kind; what it held is lost if that moves it.
  /// \returns whether it moved
  /// \throws Error (resources) with the bytes asked
  bool reserve(MemoryKind kind, std::int64_t bytes);

  std::byte* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }
  MemoryKind kind() const { return kind_; }

  /// Copies between it and the host, complete on return.
  void from_host(const void* source, std::int64_t bytes) const;
  void to_host(void* target, std::int64_t bytes) const;

 private:
  AnyView view_;
  std::byte* data_ = nullptr;
  std::int64_t bytes_ = 0;
  MemoryKind kind_ = MemoryKind::host;
};

/// Where messages are kept that kernels of \p instance write or read and that \p transport carries.
MemoryKind message_memory(const Instance& instance, const Transport& transport);

/// Whether \p transport takes messages in \p rows as they lie.
bool carries(const Transport& transport, const Rows& rows);

/// A list in the memory of an instance's kernels. Written once.
template <class Item>
class Table {
 public:
  Table() = default;
  Table(const Instance& instance, const std::vector<Item>& items) : size_(static_cast<std::int64_t>(items.size())) {
    if (items.empty()) return;
    const auto bytes = size_ * static_cast<std::int64_t>(sizeof(Item));
    memory_.reserve(instance.on_host() ? MemoryKind::host : MemoryKind::device, bytes);
    memory_.from_host(items.data(), bytes);
  }

  const Item* data() const { return reinterpret_cast<const Item*>(memory_.data()); }
  std::int64_t size() const { return size_; }
  std::int64_t bytes() const { return memory_.bytes(); }

 private:
  Memory memory_;
  std::int64_t size_ = 0;
};

}  // namespace caesura::comm::impl
