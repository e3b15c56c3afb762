// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace caesura {

/// What the elements of an argument are, at run time. `byte` is also any type that is only moved, never computed with.
enum class ElementType : std::uint8_t { float64, float32, float16, bfloat16, int32, int64, byte };

constexpr int bytes_of(ElementType type) {
  constexpr int bytes[] = {8, 4, 2, 2, 4, 8, 1};
  return bytes[static_cast<int>(type)];
}

namespace impl {

template <class Value>
consteval ElementType element_type() {
  if constexpr (AttentionScalar<Value>) {
    return static_cast<ElementType>(scalar_type_v<Value>);
  } else if constexpr (std::is_same_v<Value, std::int32_t>) {
    return ElementType::int32;
  } else if constexpr (std::is_same_v<Value, std::int64_t>) {
    return ElementType::int64;
  } else {
    return ElementType::byte;
  }
}

}  // namespace impl
}  // namespace caesura
