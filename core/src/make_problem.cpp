// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/make_problem.hpp"

#include <caesura/error.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace caesura::impl {

namespace {

constexpr std::int64_t max_dim = 512;

std::string extents_text(const ViewRef& view) {
  std::string result = "(";
  for (int i = 0; i < view.rank(); ++i) result += text(i ? ", " : "", view.extent(i));
  return result + ")";
}

bool is_scalar(ElementType type) { return type <= ElementType::bfloat16; }

std::string_view name_of(ElementType type) {
  constexpr std::string_view others[] = {"int32", "int64", "byte"};
  return is_scalar(type) ? caesura::name_of(static_cast<ScalarType>(type)) : others[static_cast<int>(type) - 4];
}

enum class Access : std::uint8_t { read, write };

/// Checks arguments one by one and turns them into plain references; errors begin with the function's name.
class Checker {
 public:
  Checker(const char* function, IsAccessible is_accessible) : function_(function), is_accessible_(is_accessible) {}

  /// `function: parts...` if \p ok is false.
  template <class... Parts>
  void check(bool ok, const Parts&... parts) const {
    require(ok, [&] { return text(function_, ": ", parts...); });
  }

  /// What every View must fulfil.
  void view(const ViewRef& view, const char* name, Access access) const {
    check(static_cast<bool>(view), name, " is not given");
    check(is_accessible_(view), name, " lies in memory that the execution space cannot reach");
    check(access == Access::read || view.writable(), name, " is const: it is an output");
    if (access == Access::read) return;
    for (int i = 0; i < view.rank(); ++i) {
      check(view.extent(i) <= 1 || view.stride(i) != 0, name, " has stride 0 in extent ", i,
            ": elements of an output must not share memory");
    }
  }

  /// A `(rows, heads, dim)` or `(batch, seq, heads, dim)` tensor.
  TensorRef tensor(const ViewRef& argument, const char* name, Access access) const {
    view(argument, name, access);
    check(argument.rank() == 3 || argument.rank() == 4, name, " has rank ", argument.rank(),
          ": must be (rows, heads, dim) or (batch, seq, heads, dim)");
    check(is_scalar(argument.type()), name, " has elements of type ", name_of(argument.type()),
          ": must be double, float, half or bfloat16");
    const int last = argument.rank() - 1;
    check(argument.extent(last) <= 1 || argument.stride(last) == 1, name, " has stride ", argument.stride(last),
          " in its last extent: must be 1 (LayoutRight, or LayoutStride with contiguous rows)");
    return reference(argument, argument.rank() - 2);
  }

  /// A `(rows, heads)` or `(batch, seq, heads)` statistic in the accumulator type.
  TensorRef statistic(const ViewRef& argument, const char* name, Access access, const AttentionShape& shape) const {
    view(argument, name, access);
    check(argument.rank() == 2 || argument.rank() == 3, name, " has rank ", argument.rank(),
          ": must be (total_q, heads_q) or (batch, seq, heads_q)");
    is_accumulator(argument, name, shape);
    same(rows(argument, argument.rank() - 1), shape.total_q, name, "rows", "total_q");
    same(argument.extent(argument.rank() - 1), shape.heads_q, name, "heads", "heads_q");
    return reference(argument, argument.rank() - 1);
  }

  void is_accumulator(const ViewRef& argument, const char* name, const AttentionShape& shape) const {
    const ScalarType wanted = accumulator_of(shape.type);
    check(argument.type() == static_cast<ElementType>(wanted), name, " has elements of type ", name_of(argument.type()),
          ": must be ", caesura::name_of(wanted), " for ", caesura::name_of(shape.type), " inputs");
  }

  void same(std::int64_t value, std::int64_t wanted, const char* name, const char* extent, const char* rule) const {
    check(value == wanted, name, " has ", value, " ", extent, ": must be ", rule, " = ", wanted);
  }

  /// The product of the extents before the heads.
  static std::int64_t rows(const ViewRef& argument, int head_extent) {
    return head_extent == 2 ? argument.extent(0) * argument.extent(1) : argument.extent(0);
  }

 private:
  static TensorRef reference(const ViewRef& argument, int head_extent) {
    TensorRef result;
    result.data = argument.data();
    result.type = static_cast<ScalarType>(argument.type());
    const bool is_batched = head_extent == 2;
    result.batch_rows = std::max<std::int64_t>(1, argument.extent(is_batched ? 1 : 0));
    result.batch_stride = is_batched ? argument.stride(0) : 0;
    result.row_stride = argument.stride(is_batched ? 1 : 0);
    result.head_stride = argument.stride(head_extent);
    return result;
  }

  const char* function_;
  IsAccessible is_accessible_;
};

std::int32_t dim_of(const Checker& checker, const ViewRef& view, const char* name) {
  const std::int64_t dim = view.extent(view.rank() - 1);
  checker.check(dim >= 1 && dim <= max_dim, name, " has dim = ", dim, ": must lie in [1, ", max_dim, "]");
  return static_cast<std::int32_t>(dim);
}

std::int64_t heads_of(const ViewRef& view) { return view.extent(view.rank() - 2); }
std::int64_t rows_of(const ViewRef& view) { return Checker::rows(view, view.rank() - 2); }

/// `(rows)` positions, or null.
const std::int32_t* positions_of(const Checker& checker, const ViewRef& argument, const char* name, std::int64_t rows,
                                 const char* rule) {
  if (!argument) return nullptr;
  checker.view(argument, name, Access::read);
  checker.check(argument.rank() == 1 && argument.type() == ElementType::int32, name,
                " must be a View of rank 1 of std::int32_t");
  checker.same(argument.extent(0), rows, name, "rows", rule);
  checker.check(rows <= 1 || argument.stride(0) == 1, name, " has stride ", argument.stride(0), ": must be 1");
  return static_cast<const std::int32_t*>(argument.data());
}

DropoutRef dropout_of(const Checker& checker, const Dropout& dropout) {
  checker.check(dropout.probability >= 0 && dropout.probability < 1, "dropout.probability = ", dropout.probability,
                ": must lie in [0, 1)");
  DropoutRef result;
  result.threshold = static_cast<std::uint32_t>(std::min(dropout.probability * 0x1p32, 0x1p32 - 1));
  result.keep_scale = 1 / (1 - dropout.probability);
  result.seed = dropout.seed;
  result.offset = dropout.offset;
  return result;
}

void check_sink_shape(const Checker& checker, const ViewRef& sink, const char* name, const AttentionShape& shape) {
  checker.check(sink.rank() == 1 || sink.rank() == 2, name, " has rank ", sink.rank(),
                ": must be (heads_q) or (heads_q, sinks)");
  checker.is_accumulator(sink, name, shape);
  checker.same(sink.extent(0), shape.heads_q, name, "heads", "heads_q");
  checker.check(sink.rank() == 1 || sink.extent(1) >= 1, name, " has 0 sinks a head: must be at least 1");
}

/// Checks q, k, v, the plan and the options that both calls share.
AttentionShape make_shape(const Checker& checker, const PlanView& plan, const AttentionArguments& arguments,
                          const AttentionOptions& options) {
  const ViewRef &q = arguments.q, &k = arguments.k, &v = arguments.v;
  AttentionShape shape;
  shape.type = checker.tensor(q, "q", Access::read).type;
  const ViewRef* others[] = {&k, &v};
  const char* names[] = {"k", "v"};
  for (int i = 0; i < 2; ++i) {
    checker.tensor(*others[i], names[i], Access::read);
    checker.check(others[i]->type() == q.type(), names[i], " has elements of type ", name_of(others[i]->type()),
                  ": must be those of q, ", name_of(q.type()));
  }
  checker.same(rows_of(q), plan.total_q, "q", "rows", "the plan's total_q");
  checker.same(rows_of(k), plan.total_k, "k", "rows", "the plan's total_k");
  checker.same(rows_of(v), plan.total_k, "v", "rows", "the plan's total_k");
  shape.total_q = plan.total_q;
  shape.total_k = plan.total_k;

  const std::int64_t heads_q = heads_of(q), heads_kv = heads_of(k);
  constexpr std::int64_t max_heads = 1 << 20;
  checker.check(heads_q >= 1 && heads_q <= max_heads, "heads_q = ", heads_q, ": must lie in [1, ", max_heads, "]");
  checker.check(heads_kv >= 1, "heads_kv = ", heads_kv, ": must be at least 1");
  checker.check(heads_q % heads_kv == 0, "heads_q = ", heads_q, " is not a multiple of heads_kv = ", heads_kv);
  checker.same(heads_of(v), heads_kv, "v", "heads", "heads_kv");
  shape.heads_q = static_cast<std::int32_t>(heads_q);
  shape.heads_kv = static_cast<std::int32_t>(heads_kv);

  shape.dim_qk = dim_of(checker, q, "q");
  shape.dim_v = dim_of(checker, v, "v");
  checker.same(k.extent(k.rank() - 1), shape.dim_qk, "k", "dim", "dim_qk");

  shape.scale = options.softmax_scale.value_or(1 / std::sqrt(static_cast<double>(shape.dim_qk)));
  checker.check(std::isfinite(shape.scale), "softmax_scale = ", shape.scale, ": must be finite");
  shape.pack_bytes = options.pack_bytes;
  checker.check(shape.pack_bytes >= 0, "pack_bytes = ", shape.pack_bytes, ": must not be negative");
  shape.softcap = options.softcap;
  checker.check(std::isfinite(shape.softcap) && shape.softcap >= 0, "softcap = ", shape.softcap,
                ": must be finite and not negative");
  shape.dropout = dropout_of(checker, options.dropout);
  shape.dropout.q_positions = positions_of(checker, options.q_positions, "q_positions", plan.total_q, "total_q");
  shape.dropout.k_positions = positions_of(checker, options.k_positions, "k_positions", plan.total_k, "total_k");
  checker.check(options.first_head >= 0, "first_head = ", options.first_head, ": must not be negative");
  shape.dropout.first_head = options.first_head;
  if (options.sink) {
    checker.view(options.sink, "sink", Access::read);
    check_sink_shape(checker, options.sink, "sink", shape);
    const bool is_table = options.sink.rank() == 2;
    shape.sink = {options.sink.data(), is_table ? static_cast<std::int32_t>(options.sink.extent(1)) : 1,
                  options.sink.stride(0), is_table ? options.sink.stride(1) : 0};
  }
  return shape;
}

/// A tensor shaped like attention's in- or outputs, in the inputs' type or its accumulator's.
TensorRef make_tensor(const Checker& checker, const AttentionShape& shape, const ViewRef& argument, const char* name,
                      Access access, bool is_query_side, std::int32_t dim, const char* dim_name) {
  const TensorRef result = checker.tensor(argument, name, access);
  checker.same(rows_of(argument), is_query_side ? shape.total_q : shape.total_k, name, "rows",
               is_query_side ? "total_q" : "total_k");
  checker.same(heads_of(argument), is_query_side ? shape.heads_q : shape.heads_kv, name, "heads",
               is_query_side ? "heads_q" : "heads_kv");
  checker.same(argument.extent(argument.rank() - 1), dim, name, "dim", dim_name);
  checker.check(result.type == shape.type || result.type == accumulator_of(shape.type), name, " has elements of type ",
                caesura::name_of(result.type), ": must be ", caesura::name_of(shape.type), " or ",
                caesura::name_of(accumulator_of(shape.type)));
  return result;
}

}  // namespace

ForwardProblem make_forward_problem(const PlanView& plan, const AttentionArguments& arguments,
                                    const AttentionOptions& options, IsAccessible is_accessible) {
  const Checker checker("attention_forward", is_accessible);
  ForwardProblem problem;
  problem.shape = make_shape(checker, plan, arguments, options);
  problem.rows = plan.rows;
  problem.q = checker.tensor(arguments.q, "q", Access::read);
  problem.k = checker.tensor(arguments.k, "k", Access::read);
  problem.v = checker.tensor(arguments.v, "v", Access::read);
  problem.out =
      make_tensor(checker, problem.shape, arguments.out, "out", Access::write, true, problem.shape.dim_v, "dim_v");
  problem.lse = checker.statistic(arguments.lse, "lse", Access::write, problem.shape);
  if (options.row_max) problem.row_max = checker.statistic(options.row_max, "row_max", Access::write, problem.shape);
  problem.merge = options.results == ResultMode::merge;
  problem.aligned_steps = options.key_steps == KeySteps::aligned;
  return problem;
}

BackwardProblem make_backward_problem(const PlanView& plan, const AttentionArguments& arguments,
                                      const AttentionOptions& options, IsAccessible is_accessible) {
  const Checker checker("attention_backward", is_accessible);
  checker.check(plan.passes == Passes::forward_and_backward,
                "plan was made with Passes::forward: must be made with Passes::forward_and_backward");
  BackwardProblem problem;
  problem.shape = make_shape(checker, plan, arguments, options);
  const AttentionShape& shape = problem.shape;
  problem.rows = plan.rows;
  problem.columns = plan.columns;
  problem.q = checker.tensor(arguments.q, "q", Access::read);
  problem.k = checker.tensor(arguments.k, "k", Access::read);
  problem.v = checker.tensor(arguments.v, "v", Access::read);
  problem.dout = make_tensor(checker, shape, arguments.dout, "dout", Access::read, true, shape.dim_v, "dim_v");
  problem.out = make_tensor(checker, shape, arguments.out, "out", Access::read, true, shape.dim_v, "dim_v");
  problem.lse = checker.statistic(arguments.lse, "lse", Access::read, shape);
  problem.dq = make_tensor(checker, shape, arguments.dq, "dq", Access::write, true, shape.dim_qk, "dim_qk");
  problem.dk = make_tensor(checker, shape, arguments.dk, "dk", Access::write, false, shape.dim_qk, "dim_qk");
  problem.dv = make_tensor(checker, shape, arguments.dv, "dv", Access::write, false, shape.dim_v, "dim_v");
  problem.accumulate = options.gradients == GradientMode::accumulate;
  problem.accumulate_q = options.query_gradients == GradientMode::accumulate;
  problem.any_order = options.sums == SumOrder::any;

  if (options.dsink) {
    checker.check(static_cast<bool>(options.sink), "dsink is given without sink");
    checker.view(options.dsink, "dsink", Access::write);
    check_sink_shape(checker, options.dsink, "dsink", shape);
    checker.check(options.dsink.rank() == options.sink.rank() &&
                      (options.sink.rank() == 1 || options.dsink.extent(1) == options.sink.extent(1)),
                  "dsink has extents ", extents_text(options.dsink), ": must have those of sink, ",
                  extents_text(options.sink));
    problem.dsink = options.dsink.data();
    problem.dsink_head_stride = options.dsink.stride(0);
    problem.dsink_sink_stride = options.dsink.rank() == 2 ? options.dsink.stride(1) : 0;
  }
  if (options.workspace) {
    const std::int64_t bytes =
        backward_workspace_bytes(shape.total_q, shape.heads_q, shape.dim_qk, shape.type, options.sums);
    checker.view(options.workspace, "workspace", Access::write);
    checker.check(options.workspace.rank() == 1 && options.workspace.type() == ElementType::byte,
                  "workspace must be a View of rank 1 of std::byte");
    checker.check(options.workspace.extent(0) >= bytes, "workspace has ", options.workspace.extent(0),
                  " bytes: must have backward_workspace_bytes = ", bytes);
    checker.check(reinterpret_cast<std::uintptr_t>(options.workspace.data()) % 16 == 0,
                  "workspace is not aligned to 16 bytes");
    problem.workspace = options.workspace.data();
  }
  return problem;
}

}  // namespace caesura::impl

namespace caesura {

std::int64_t backward_workspace_bytes(std::int64_t total_q, std::int64_t heads_q, ScalarType type) {
  return total_q * heads_q * bytes_of(accumulator_of(type));
}

std::int64_t backward_workspace_bytes(std::int64_t total_q, std::int64_t heads_q, std::int64_t dim_qk, ScalarType type,
                                      SumOrder sums) {
  const std::int64_t bytes = backward_workspace_bytes(total_q, heads_q, type);
  return sums == SumOrder::fixed ? bytes : (bytes + 15) / 16 * 16 + bytes * dim_qk;
}

}  // namespace caesura
