// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "arrays.hpp"

#include "options.hpp"
#include <caesura/documents.hpp>
#include <caesura/error.hpp>

#include <algorithm>

namespace caesura::tools {

namespace {

/// `file: shape = (..): rule`.
void require_shape(bool ok, const NpyArray& array, const std::string& rule) {
  require(ok, [&] { return text(array.file.string(), ": shape = ", shape_text(array.shape), ": ", rule); });
}

std::int64_t from_end(const NpyArray& array, std::size_t i) { return array.shape[array.shape.size() - 1 - i]; }

std::int64_t rows_of(const NpyArray& array) {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 2 < array.shape.size(); ++i) rows *= array.shape[i];
  return rows;
}

void require_common_type(const Arrays& arrays) {
  const auto check = [&](const NpyArray& array) {
    require(array.type == arrays.q.type, [&] {
      return text(array.file.string(), ": dtype = ", name_of(array.type), ": must be that of ", arrays.q.file.string(),
                  ", ", name_of(arrays.q.type), " (--dtype converts all of them)");
    });
  };
  check(arrays.k);
  check(arrays.v);
  if (arrays.dout) check(*arrays.dout);
}

void check_shapes(const Arrays& arrays) {
  const auto& [q, k, v, dout, sink, batch, size] = arrays;
  require_shape(q.shape.size() == 3 || q.shape.size() == 4, q,
                "must be (tokens, heads, dim) or (batch, tokens, heads, dim)");
  require_shape(k.shape.size() == q.shape.size(), k, text("must have ", q.shape.size(), " extents, as q has"));
  if (q.shape.size() == 4) require_shape(k.shape[0] == q.shape[0], k, text("must have the batch of q, ", q.shape[0]));
  require_shape(from_end(q, 0) >= 1 && from_end(q, 0) <= 512, q, "must have a dim (the last extent) from 1 to 512");
  require_shape(from_end(k, 0) == from_end(q, 0), k,
                text("must have the dim (the last extent) of q, ", from_end(q, 0)));
  require_shape(from_end(q, 1) >= 1, q, "must have at least one head");
  require_shape(from_end(k, 1) >= 1 && from_end(q, 1) % from_end(k, 1) == 0, k,
                text("must have a number of heads that divides that of q, ", from_end(q, 1)));
  require_shape(v.shape.size() == k.shape.size() && std::equal(k.shape.begin(), k.shape.end() - 1, v.shape.begin()), v,
                "must be that of k, " + shape_text(k.shape) + ", up to the last extent");
  require_shape(from_end(v, 0) >= 1 && from_end(v, 0) <= 512, v, "must have a dim (the last extent) from 1 to 512");
  require_shape(rows_of(q) < max_tokens, q, text("must have fewer than ", max_tokens, " tokens"));
  require_shape(rows_of(k) < max_tokens, k, text("must have fewer than ", max_tokens, " tokens"));
  if (dout)
    require_shape(dout->shape == arrays.shape_of_out(), *dout,
                  "must be that of out, " + shape_text(arrays.shape_of_out()));
  if (sink) {
    const bool fits =
        (sink->shape.size() == 1 || sink->shape.size() == 2) && sink->shape[0] == from_end(q, 1) && sink->size() > 0;
    require_shape(fits, *sink, text("must be (heads_q) or (heads_q, sinks) with heads_q = ", from_end(q, 1)));
  }
}

}  // namespace

std::vector<std::int64_t> Arrays::shape_of_out() const {
  std::vector<std::int64_t> shape = q.shape;
  shape.back() = v.shape.back();
  return shape;
}

std::vector<std::int64_t> Arrays::shape_of_lse() const { return {q.shape.begin(), q.shape.end() - 1}; }

Arrays read_arrays(const ArrayFiles& files, const std::string& dtype) {
  Arrays arrays;
  arrays.q = read_npy(files.q);
  arrays.k = read_npy(files.k);
  arrays.v = read_npy(files.v);
  if (!files.dout.empty()) arrays.dout = read_npy(files.dout);
  if (!files.sink.empty()) arrays.sink = read_npy(files.sink);
  if (dtype.empty()) require_common_type(arrays);
  check_shapes(arrays);
  arrays.batch = arrays.q.shape.size() == 4 ? arrays.q.shape[0] : 1;
  require_shape(arrays.batch >= 1, arrays.q, "must have a batch of at least 1");
  arrays.size = {.total_q = rows_of(arrays.q),
                 .total_k = rows_of(arrays.k),
                 .heads_q = from_end(arrays.q, 1),
                 .heads_kv = from_end(arrays.k, 1),
                 .dim_qk = from_end(arrays.q, 0),
                 .dim_v = from_end(arrays.v, 0),
                 .sinks = !arrays.sink                     ? 0
                          : arrays.sink->shape.size() == 2 ? arrays.sink->shape[1]
                                                           : 1,
                 .type = dtype.empty() ? arrays.q.type : parse_scalar_type("--dtype", dtype),
                 .passes = arrays.dout ? Passes::forward_and_backward : Passes::forward};
  return arrays;
}

void write_together(const std::vector<NpyArray>& arrays, const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(folder, error);
  require(
      !error, [&] { return text("--output = ", folder.string(), ": cannot be made: ", error.message()); },
      ErrorKind::resources);
  const auto part_of = [&](const NpyArray& array) { return folder / (array.file.string() + ".part"); };
  try {
    for (const NpyArray& array : arrays) write_npy(array, part_of(array));
  } catch (...) {
    for (const NpyArray& array : arrays) fs::remove(part_of(array), error);
    throw;
  }
  for (const NpyArray& array : arrays) fs::rename(part_of(array), folder / array.file);
}

}  // namespace caesura::tools
