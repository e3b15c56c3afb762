// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/element_type.hpp>
#include <caesura/scalar.hpp>

#include <cstdint>
#include <type_traits>

namespace caesura::comm::impl {

template <class Value>
struct TypeTag {
  using type = Value;
};

/// Calls \p function with tags of the two types; results may only be wider. \returns whether that is so
template <class Function>
bool with_types(ElementType partial, ElementType result, const Function& function) {
  const auto either = [&]<class Partial, class... Result>(TypeTag<Partial> tag, TypeTag<Result>... results) {
    return ((result == caesura::impl::element_type<Result>() ? (function(tag, results), true) : false) || ...);
  };
  switch (partial) {
    case ElementType::float64: return either(TypeTag<double>(), TypeTag<double>());
    case ElementType::float32: return either(TypeTag<float>(), TypeTag<float>(), TypeTag<double>());
    case ElementType::float16: return either(TypeTag<half>(), TypeTag<half>(), TypeTag<float>(), TypeTag<double>());
    case ElementType::bfloat16:
      return either(TypeTag<bfloat16>(), TypeTag<bfloat16>(), TypeTag<float>(), TypeTag<double>());
    case ElementType::int32: return either(TypeTag<std::int32_t>(), TypeTag<std::int32_t>(), TypeTag<std::int64_t>());
    case ElementType::int64: return either(TypeTag<std::int64_t>(), TypeTag<std::int64_t>());
    case ElementType::byte: break;
  }
  return false;
}

/// What is summed in: double if anything is double, float for other floating-point types, an integer result's own.
template <class Partial, class Result>
using Accumulator = std::conditional_t<
    std::is_integral_v<Result>, Result,
    std::conditional_t<std::is_same_v<Partial, double> || std::is_same_v<Result, double>, double, float>>;

}  // namespace caesura::comm::impl
