// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/memory.hpp"

#include "impl/transport.hpp"
#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <cstring>
#include <string>

namespace caesura::comm::impl {
namespace {

#ifdef KOKKOS_ENABLE_CUDA
using DeviceSpace = Kokkos::CudaSpace;
using PinnedSpace = Kokkos::CudaHostPinnedSpace;
#else
using DeviceSpace = Kokkos::HostSpace;
using PinnedSpace = Kokkos::HostSpace;
#endif

template <class Space>
using Bytes = Kokkos::View<std::byte*, Space>;
template <class Space>
using Unmanaged = Kokkos::View<std::byte*, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

template <class Space>
std::byte* allocate(AnyView& keep, std::int64_t bytes) {
  const Bytes<Space> view(Kokkos::view_alloc(Kokkos::WithoutInitializing, std::string("caesura::comm::buffer")),
                          static_cast<std::size_t>(bytes));
  keep = AnyView(view);
  return view.data();
}

template <class Target, class Source>
void copy(std::byte* target, const std::byte* source, std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  Kokkos::deep_copy(Unmanaged<Target>(target, size), Unmanaged<Source>(const_cast<std::byte*>(source), size));
}

}  // namespace

bool Memory::reserve(MemoryKind kind, std::int64_t bytes) {
  if (kind == kind_ && bytes <= bytes_) return false;
  view_ = AnyView();
  data_ = nullptr;
  bytes_ = 0;
  try {
    data_ = kind == MemoryKind::host     ? allocate<Kokkos::HostSpace>(view_, bytes)
            : kind == MemoryKind::pinned ? allocate<PinnedSpace>(view_, bytes)
                                         : allocate<DeviceSpace>(view_, bytes);
  } catch (const std::exception& error) {
    throw Error(ErrorKind::resources, text("message buffer: bytes = ", bytes, ": ", error.what()));
  }
  kind_ = kind;
  bytes_ = bytes;
  return true;
}

void Memory::from_host(const void* source, std::int64_t bytes) const {
  if (kind_ == MemoryKind::device) {
    copy<DeviceSpace, Kokkos::HostSpace>(data_, static_cast<const std::byte*>(source), bytes);
  } else {
    std::memcpy(data_, source, static_cast<std::size_t>(bytes));
  }
}

void Memory::to_host(void* target, std::int64_t bytes) const {
  if (kind_ == MemoryKind::device) {
    copy<Kokkos::HostSpace, DeviceSpace>(static_cast<std::byte*>(target), data_, bytes);
  } else {
    std::memcpy(target, data_, static_cast<std::size_t>(bytes));
  }
}

MemoryKind message_memory(const Instance& instance, const Transport& transport) {
  if (instance.on_host()) return MemoryKind::host;
  return transport.takes_device_memory() ? MemoryKind::device : MemoryKind::pinned;
}

bool carries(const Transport& transport, const Rows& rows) {
  return rows.on_host() ? transport.takes_host_memory() : transport.takes_device_memory();
}

}  // namespace caesura::comm::impl
