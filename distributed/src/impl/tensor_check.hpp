// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/schedule.hpp"
#include <caesura/attention.hpp>
#include <caesura/distributed/distributed_attention.hpp>
#include <caesura/error.hpp>

#include <string_view>

namespace caesura::impl {

/// Checks the tensors of a call on one rank before anything moves: an error later would leave the other ranks waiting.
class TensorCheck {
 public:
  TensorCheck(const char* function, const DistributedShape& shape, const LocalSchedule& schedule)
      : function_(function), shape_(shape), schedule_(schedule) {}

  void inputs(const ViewRef& q, const ViewRef& k, const ViewRef& v) const {
    tensor(q, "q", schedule_.own_queries, shape_.heads_q, shape_.dim);
    tensor(k, "k", schedule_.own_keys, shape_.heads_kv, shape_.dim);
    tensor(v, "v", schedule_.own_keys, shape_.heads_kv, shape_.dim_v);
    for (const ViewRef* view : {&q, &k, &v}) {
      check(view->type() == static_cast<ElementType>(shape_.type), view == &q ? "q" : (view == &k ? "k" : "v"),
            " has other elements than planned: must be ", name_of(shape_.type));
    }
  }
  void query_side(const ViewRef& view, const char* name, std::int64_t dim) const {
    tensor(view, name, schedule_.own_queries, shape_.heads_q, dim);
    scalar(view, name);
  }
  void key_side(const ViewRef& view, const char* name, std::int64_t dim) const {
    tensor(view, name, schedule_.own_keys, shape_.heads_kv, dim);
    scalar(view, name);
  }
  void statistic(const ViewRef& view, const char* name) const {
    check(static_cast<bool>(view), name, " is not given");
    check(view.rank() == 2, name, " has rank ", view.rank(), ": must be (own queries, heads_q)");
    extent(view, name, 0, schedule_.own_queries, "rows: this rank owns ");
    extent(view, name, 1, shape_.heads_q, "heads: must be heads_q = ");
    check(view.type() == static_cast<ElementType>(accumulator_of(shape_.type)), name, " has other elements than ",
          name_of(accumulator_of(shape_.type)));
  }
  void options(const AttentionOptions& options) const {
    check(!options.q_positions && !options.k_positions,
          "q_positions, k_positions are given: they follow from the plan");
    check(options.results == ResultMode::overwrite, "results = merge: a call sees all keys itself");
    check(options.dropout.probability >= 0 && options.dropout.probability < 1,
          "dropout.probability = ", options.dropout.probability, ": must lie in [0, 1)");
    check(!options.dsink || options.sink, "dsink is given without sink");
    if (!options.sink) return;
    for (const ViewRef* view : {&options.sink, &options.dsink}) {
      if (!*view) continue;
      const char* const name = view == &options.sink ? "sink" : "dsink";
      check(view->rank() == options.sink.rank() && (view->rank() == 1 || view->rank() == 2), name, " has rank ",
            view->rank(), ": must be (heads_q) or (heads_q, sinks), sink and dsink alike");
      extent(*view, name, 0, shape_.heads_q, "heads: must be heads_q = ");
      if (view->rank() == 2) extent(*view, name, 1, options.sink.extent(1), "sinks: must be those of sink, ");
      check(view->type() == static_cast<ElementType>(accumulator_of(shape_.type)), name, " has other elements than ",
            name_of(accumulator_of(shape_.type)));
    }
  }

 private:
  template <class... Parts>
  void check(bool ok, const Parts&... parts) const {
    require(ok, [&] { return text(function_, ": ", parts...); });
  }
  void extent(const ViewRef& view, const char* name, int i, std::int64_t wanted, const char* rule) const {
    check(view.extent(i) == wanted, name, " has ", view.extent(i), " ", rule, wanted);
  }
  void tensor(const ViewRef& view, const char* name, std::int64_t rows, std::int64_t heads, std::int64_t dim) const {
    check(static_cast<bool>(view), name, " is not given");
    check(view.rank() == 3, name, " has rank ", view.rank(), ": must be (rows, heads, dim)");
    extent(view, name, 0, rows, "rows: this rank owns ");
    extent(view, name, 1, heads, "heads: must be ");
    extent(view, name, 2, dim, "as dim: must be ");
    check(dim == 1 || view.extent(0) == 0 || view.stride(2) == 1, name, " has stride ", view.stride(2),
          " in its last extent: must be 1");
  }
  void scalar(const ViewRef& view, const char* name) const {
    check(view.type() == static_cast<ElementType>(shape_.type) ||
              view.type() == static_cast<ElementType>(accumulator_of(shape_.type)),
          name, " has other elements than planned: must be ", name_of(shape_.type), " or ",
          name_of(accumulator_of(shape_.type)));
  }

  const char* function_;
  const DistributedShape& shape_;
  const LocalSchedule& schedule_;
};

}  // namespace caesura::impl
