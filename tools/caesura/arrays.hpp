// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "attention_step.hpp"
#include "npy.hpp"
#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// The arrays of `attend`: from files to device tensors and back.
namespace caesura::tools {

/// Paths; empty: not given.
struct ArrayFiles {
  std::string q, k, v, dout, sink;
};

/// Arrays that fit each other.
struct Arrays {
  NpyArray q, k, v;
  std::optional<NpyArray> dout;
  std::optional<NpyArray> sink;
  std::int64_t batch = 1;  ///< rows of 4-D arrays are flattened to batch * tokens
  ProblemSize size;

  std::vector<std::int64_t> shape_of_out() const;
  std::vector<std::int64_t> shape_of_lse() const;
};

/// Reads and checks them. \p dtype is the type to convert to; empty: that of the arrays, which then must be one.
Arrays read_arrays(const ArrayFiles& files, const std::string& dtype);

/// Writes all arrays (named by their `file`) into \p folder: complete files appear, or none.
void write_together(const std::vector<NpyArray>& arrays, const std::filesystem::path& folder);

namespace impl {
template <class To, class From>
To convert(From value) {
  if constexpr (sizeof(To) == 2) {
    return To(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

template <class From, class View>
void copy_values(const NpyArray& array, const View& host) {
  for (std::size_t i = 0; i < host.size(); ++i) {
    From value;
    std::memcpy(&value, &array.bytes[i * sizeof(From)], sizeof(From));
    host.data()[i] = convert<typename View::value_type>(value);
  }
}
}  // namespace impl

/// Converts the array's elements to those of the contiguous \p view and copies them there.
template <class View>
void copy_in(const NpyArray& array, const View& view) {
  const auto host = Kokkos::create_mirror_view(Kokkos::WithoutInitializing, view);
  require(array.size() == static_cast<std::int64_t>(host.size()),
          [&] { return text(array.file.string(), ": size = ", array.size(), ": must be ", host.size()); });
  with_scalar(array.type, [&]<class From>() { impl::copy_values<From>(array, host); });
  Kokkos::deep_copy(view, host);
}

/// The elements of a contiguous \p view as an array of \p shape.
template <class View>
NpyArray copy_out(const std::string& name, const View& view, const std::vector<std::int64_t>& shape) {
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), view);
  using Value = typename View::non_const_value_type;
  NpyArray array = {.file = name,
                    .type = scalar_type_v<Value>,
                    .shape = shape,
                    .bytes = std::vector<std::byte>(host.size() * sizeof(Value))};
  if (host.size() > 0) std::memcpy(array.bytes.data(), host.data(), array.bytes.size());
  return array;
}

}  // namespace caesura::tools
