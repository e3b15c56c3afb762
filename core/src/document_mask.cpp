// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/document_mask.hpp>
#include <caesura/documents.hpp>
#include <caesura/error.hpp>

namespace caesura {

void DocumentMask::validate(const char* function) const {
  const auto require_at_least = [&](std::int64_t value, std::int64_t least, const char* name) {
    require(value >= least && value <= max_tokens,
            [&] { return text(function, ": ", name, " = ", value, ": must lie in [", least, ", ", max_tokens, "]"); });
  };
  require(kind >= MaskKind::full && kind <= MaskKind::bi_causal,
          [&] { return text(function, ": kind = ", static_cast<int>(kind), ": is not a MaskKind"); });
  require_at_least(window.left, -1, "window.left");
  require_at_least(window.right, -1, "window.right");
  require_at_least(chunk, 0, "chunk");
  require_at_least(prefix, 0, "prefix");
}

}  // namespace caesura
