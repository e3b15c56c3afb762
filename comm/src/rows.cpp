// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/row_layout.hpp"
#include <caesura/comm/rows.hpp>

namespace caesura::comm {

std::int64_t Rows::row_elements() const {
  std::int64_t result = rank_ > 0 ? 1 : 0;
  for (std::size_t i = 1; i < static_cast<std::size_t>(rank_); ++i) result *= extents_[i];
  return result;
}

bool Rows::contiguous() const {
  const auto layout = impl::RowLayout::of(*this);
  return layout.row_together() && (rows() <= 1 || layout.row_stride == layout.row_bytes);
}

}  // namespace caesura::comm
