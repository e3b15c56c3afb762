// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <functional>

namespace caesura::testing {
namespace {

using Parts = std::initializer_list<std::string_view>;

/// A good problem, of which each test breaks one thing.
class AttentionErrors : public ::testing::Test {
 protected:
  struct Arguments {
    ViewRef q, k, v, out, lse, dout, dq, dk, dv;
    AttentionOptions options;
  };

  AttentionErrors()
      : problem_(with_sink(Problem(Mask::from_documents(Documents::from_lengths({20, 13})), {8, 4, 16, 24}, 101))),
        device_(problem_),
        plan_(Space(), problem_.mask) {}

  Arguments good() const {
    const auto& d = device_;
    return {d.q, d.k, d.v, d.out, d.lse.matrix(), d.dout, d.dq, d.dk, d.dv, d.options};
  }

  void forward(const Arguments& a, const AttentionPlan<Space>& plan) const {
    attention_forward(Space(), plan, a.q, a.k, a.v, a.out, a.lse, a.options);
  }
  void backward(const Arguments& a, const AttentionPlan<Space>& plan) const {
    attention_backward(Space(), plan, a.dout, a.q, a.k, a.v, a.out, a.lse, a.dq, a.dk, a.dv, a.options);
  }

  using Break = std::function<void(Arguments&)>;

  void expect_forward_error(Parts parts, const Break& break_it, ErrorKind kind = ErrorKind::invalid_argument) const {
    Arguments arguments = good();
    break_it(arguments);
    expect_error(kind, {"attention_forward: "}, [&] { forward(arguments, plan_); });
    expect_error(kind, parts, [&] { forward(arguments, plan_); });
    expect_untouched();
  }
  void expect_backward_error(Parts parts, const Break& break_it, ErrorKind kind = ErrorKind::invalid_argument) const {
    Arguments arguments = good();
    break_it(arguments);
    expect_error(kind, {"attention_backward: "}, [&] { backward(arguments, plan_); });
    expect_error(kind, parts, [&] { backward(arguments, plan_); });
    expect_untouched();
  }
  void expect_both(Parts parts, const Break& break_it, ErrorKind kind = ErrorKind::invalid_argument) const {
    expect_forward_error(parts, break_it, kind);
    expect_backward_error(parts, break_it, kind);
  }

  void expect_untouched() const {
    Space().fence();
    EXPECT_TRUE(device_.outputs_untouched()) << "an output was written before the error";
  }

  /// A tensor of other extents; it lives as long as the test.
  template <class Scalar = float>
  ViewRef tensor(std::int64_t rows, std::int64_t heads, std::int64_t dim) {
    const auto made = DeviceTensor<Scalar>::poisoned(rows, heads, dim);
    kept_.emplace_back([made] { (void)made; });
    return made.ref();
  }
  template <class View>
  ViewRef keep(const View& view) {
    kept_.emplace_back([view] { (void)view; });
    return view;
  }

  static Problem with_sink(Problem problem) {
    problem.add_sink(2, 102);
    return problem;
  }

  Problem problem_;
  DeviceCase<float> device_;
  AttentionPlan<Space> plan_;
  std::vector<std::function<void()>> kept_;
};

TEST_F(AttentionErrors, TheGoodProblemIsGood) {
  forward(good(), plan_);
  backward(good(), plan_);
  Space().fence();
  expect_close(problem_, expected_results(problem_), device_.download(), ScalarType::float32, ScalarType::float32);
}

TEST_F(AttentionErrors, HeadsThatDoNotDivide) {
  const ViewRef k = tensor(33, 3, 16), v = tensor(33, 3, 24);
  expect_both({"heads_q = 8 is not a multiple of heads_kv = 3"}, [&](Arguments& a) { a.k = k, a.v = v; });
  const ViewRef none = tensor(33, 0, 16);
  expect_both({"heads_kv = 0"}, [&](Arguments& a) { a.k = none; });
  expect_both({"heads_q = 0"}, [&](Arguments& a) { a.q = none; });
}

TEST_F(AttentionErrors, ExtentsThatDoNotMatch) {
  const ViewRef rows = tensor(32, 8, 16), heads = tensor(33, 2, 16), dim = tensor(33, 4, 17);
  expect_both({"q has 32 rows", "total_q = 33"}, [&](Arguments& a) { a.q = rows; });
  expect_both({"k has 32 rows", "total_k = 33"}, [&](Arguments& a) { a.k = rows; });
  expect_both({"v has 32 rows", "total_k = 33"}, [&](Arguments& a) { a.v = rows; });
  expect_both({"v has 2 heads", "heads_kv = 4"}, [&](Arguments& a) { a.v = heads; });
  expect_both({"k has 17 dim", "dim_qk = 16"}, [&](Arguments& a) { a.k = dim; });
  expect_both({"out has 32 rows", "total_q = 33"}, [&](Arguments& a) { a.out = rows; });
  expect_both({"out has 2 heads", "heads_q = 8"}, [&](Arguments& a) { a.out = heads; });
  expect_backward_error({"dout has 32 rows", "total_q = 33"}, [&](Arguments& a) { a.dout = rows; });
  expect_backward_error({"dq has 2 heads", "heads_q = 8"}, [&](Arguments& a) { a.dq = heads; });
  expect_backward_error({"dk has 17 dim", "dim_qk = 16"}, [&](Arguments& a) { a.dk = dim; });
  expect_backward_error({"dv has 17 dim", "dim_v = 24"}, [&](Arguments& a) { a.dv = dim; });
  const ViewRef lse = keep(Kokkos::View<float**, Kokkos::LayoutRight, Space>("lse", 33, 7));
  expect_both({"lse has 7 heads", "heads_q = 8"}, [&](Arguments& a) { a.lse = lse; });
  const ViewRef short_lse = keep(Kokkos::View<float**, Kokkos::LayoutRight, Space>("lse", 31, 8));
  expect_both({"lse has 31 rows", "total_q = 33"}, [&](Arguments& a) { a.lse = short_lse; });
  expect_forward_error({"row_max has 7 heads", "heads_q = 8"}, [&](Arguments& a) { a.options.row_max = lse; });
}

TEST_F(AttentionErrors, WrongRanks) {
  const ViewRef two = keep(Kokkos::View<float**, Kokkos::LayoutRight, Space>("test", 33, 16));
  const ViewRef one = keep(Kokkos::View<float*, Space>("test", 33));
  expect_both({"q has rank 2", "(rows, heads, dim)"}, [&](Arguments& a) { a.q = two; });
  expect_both({"k has rank 2"}, [&](Arguments& a) { a.k = two; });
  expect_both({"v has rank 1"}, [&](Arguments& a) { a.v = one; });
  expect_both({"out has rank 2"}, [&](Arguments& a) { a.out = two; });
  expect_both({"lse has rank 1", "(total_q, heads_q)"}, [&](Arguments& a) { a.lse = one; });
  expect_both({"sink has rank 3", "(heads_q)"}, [&](Arguments& a) { a.options.sink = a.q; });
}

TEST_F(AttentionErrors, WrongLayouts) {
  const ViewRef left = keep(Kokkos::View<float***, Kokkos::LayoutLeft, Space>("test", 33, 8, 16));
  expect_both({"q has stride 264 in its last extent", "must be 1"}, [&](Arguments& a) { a.q = left; });
  const ViewRef left_out = keep(Kokkos::View<float***, Kokkos::LayoutLeft, Space>("test", 33, 8, 24));
  expect_both({"out has stride 264 in its last extent"}, [&](Arguments& a) { a.out = left_out; });
  const Kokkos::View<float*, Space> row("test", 200);
  const ViewRef broadcast =
      keep(Kokkos::View<float***, Kokkos::LayoutStride, Space>(row.data(), Kokkos::LayoutStride(33, 0, 8, 24, 24, 1)));
  expect_forward_error({"out has stride 0", "share memory"}, [&](Arguments& a) { a.out = broadcast; });
}

TEST_F(AttentionErrors, DimsOutsideTheirRange) {
  const ViewRef q0 = tensor(33, 8, 0), k0 = tensor(33, 4, 0), q513 = tensor(33, 8, 513), k513 = tensor(33, 4, 513);
  expect_both({"q has dim = 0", "[1, 512]"}, [&](Arguments& a) { a.q = q0, a.k = k0; });
  expect_both({"q has dim = 513", "[1, 512]"}, [&](Arguments& a) { a.q = q513, a.k = k513; });
  expect_both({"v has dim = 0", "[1, 512]"}, [&](Arguments& a) { a.v = k0; });
  expect_both({"v has dim = 513", "[1, 512]"}, [&](Arguments& a) { a.v = k513; });
}

TEST_F(AttentionErrors, NumbersThatMeanNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_both({"softmax_scale = nan", "finite"}, [&](Arguments& a) { a.options.softmax_scale = nan; });
  expect_both({"softmax_scale = inf", "finite"}, [&](Arguments& a) { a.options.softmax_scale = INFINITY; });
  expect_both({"softcap = -1"}, [&](Arguments& a) { a.options.softcap = -1; });
  expect_both({"softcap = nan"}, [&](Arguments& a) { a.options.softcap = nan; });
  expect_both({"dropout.probability = 1", "[0, 1)"}, [&](Arguments& a) { a.options.dropout.probability = 1; });
  expect_both({"dropout.probability = -0.1", "[0, 1)"}, [&](Arguments& a) { a.options.dropout.probability = -0.1; });
  expect_both({"dropout.probability = nan", "[0, 1)"}, [&](Arguments& a) { a.options.dropout.probability = nan; });
}

TEST_F(AttentionErrors, WrongTypes) {
  const ViewRef doubles = tensor<double>(33, 4, 16), halves = tensor<half>(33, 8, 24);
  expect_both({"k has elements of type double", "those of q, float"}, [&](Arguments& a) { a.k = doubles; });
  expect_both({"out has elements of type half", "float"}, [&](Arguments& a) { a.out = halves; });
  const ViewRef integers = keep(Kokkos::View<std::int32_t***, Kokkos::LayoutRight, Space>("test", 33, 8, 16));
  expect_both({"q has elements of type int32"}, [&](Arguments& a) { a.q = integers; });
  const ViewRef lse = keep(Kokkos::View<double**, Kokkos::LayoutRight, Space>("test", 33, 8));
  expect_both({"lse has elements of type double", "must be float"}, [&](Arguments& a) { a.lse = lse; });
}

TEST_F(AttentionErrors, Sinks) {
  const ViewRef seven = keep(Kokkos::View<float*, Space>("test", 7));
  const ViewRef doubles = keep(Kokkos::View<double*, Space>("test", 8));
  const ViewRef three = keep(Kokkos::View<float**, Kokkos::LayoutRight, Space>("test", 8, 3));
  const ViewRef none = keep(Kokkos::View<float**, Kokkos::LayoutRight, Space>("test", 8, 0));
  expect_both({"sink has 7 heads", "heads_q = 8"}, [&](Arguments& a) { a.options.sink = seven; });
  expect_both({"sink has elements of type double", "must be float"}, [&](Arguments& a) { a.options.sink = doubles; });
  expect_both({"sink has 0 sinks"}, [&](Arguments& a) { a.options.sink = none; });
  expect_backward_error({"dsink has extents (8, 3)", "sink, (8, 2)"}, [&](Arguments& a) { a.options.dsink = three; });
  expect_backward_error({"dsink is given without sink"}, [&](Arguments& a) { a.options.sink = {}; });
}

TEST_F(AttentionErrors, OutputsThatCannotBeWritten) {
  const auto constant = [this](std::size_t heads, std::size_t dim) {
    return keep(Kokkos::View<const float***, Kokkos::LayoutRight, Space>(
        Kokkos::View<float***, Kokkos::LayoutRight, Space>("test", 33, heads, dim)));
  };
  const ViewRef out = constant(8, 24), dq = constant(8, 16), dk = constant(4, 16), dv = constant(4, 24);
  const ViewRef lse = keep(Kokkos::View<const float**, Kokkos::LayoutRight, Space>(
      Kokkos::View<float**, Kokkos::LayoutRight, Space>("test", 33, 8)));
  expect_forward_error({"out is const"}, [&](Arguments& a) { a.out = out; });
  expect_forward_error({"lse is const"}, [&](Arguments& a) { a.lse = lse; });
  expect_forward_error({"row_max is const"}, [&](Arguments& a) { a.options.row_max = lse; });
  expect_backward_error({"dq is const"}, [&](Arguments& a) { a.dq = dq; });
  expect_backward_error({"dk is const"}, [&](Arguments& a) { a.dk = dk; });
  expect_backward_error({"dv is const"}, [&](Arguments& a) { a.dv = dv; });
}

TEST_F(AttentionErrors, ArgumentsThatAreNotGiven) {
  expect_both({"q is not given"}, [](Arguments& a) { a.q = {}; });
  expect_both({"v is not given"}, [](Arguments& a) { a.v = {}; });
  expect_both({"out is not given"}, [](Arguments& a) { a.out = {}; });
  expect_both({"lse is not given"}, [](Arguments& a) { a.lse = {}; });
  expect_backward_error({"dout is not given"}, [](Arguments& a) { a.dout = {}; });
  expect_backward_error({"dk is not given"}, [](Arguments& a) { a.dk = {}; });
}

TEST_F(AttentionErrors, Workspaces) {
  const std::int64_t bytes = backward_workspace_bytes(33, 8, ScalarType::float32);
  EXPECT_EQ(bytes, 33 * 8 * 4);
  const ViewRef small = keep(Kokkos::View<std::byte*, Space>("test", static_cast<std::size_t>(bytes - 1)));
  expect_backward_error({"workspace has 1055 bytes", "1056"}, [&](Arguments& a) { a.options.workspace = small; });
  EXPECT_EQ(backward_workspace_bytes(33, 8, 16, ScalarType::float32, SumOrder::fixed), bytes);
  EXPECT_EQ(backward_workspace_bytes(33, 1, 16, ScalarType::float16, SumOrder::any), 144 + 33 * 16 * 4);
  const ViewRef enough = keep(Kokkos::View<std::byte*, Space>("test", static_cast<std::size_t>(bytes)));
  expect_backward_error({"workspace has 1056 bytes", "17952"}, [&](Arguments& a) {
    a.options.workspace = enough;
    a.options.sums = SumOrder::any;
  });
  const ViewRef floats = keep(Kokkos::View<float*, Space>("test", 33 * 8));
  expect_backward_error({"workspace", "std::byte"}, [&](Arguments& a) { a.options.workspace = floats; });
  const Kokkos::View<std::byte*, Space> large("test", static_cast<std::size_t>(bytes + 16));
  const ViewRef odd =
      keep(Kokkos::subview(large, std::pair<std::size_t, std::size_t>(1, static_cast<std::size_t>(bytes + 1))));
  expect_backward_error({"workspace", "aligned to 16 bytes"}, [&](Arguments& a) { a.options.workspace = odd; });
}

TEST_F(AttentionErrors, PlansThatDoNotFit) {
  const AttentionPlan<Space> longer(Space(), Mask::from_documents(Documents::from_lengths({20, 14})));
  expect_invalid({"attention_forward: q has 33 rows", "total_q = 34"}, [&] { forward(good(), longer); });
  expect_invalid({"attention_backward: q has 33 rows", "total_q = 34"}, [&] { backward(good(), longer); });
  const AttentionPlan<Space> forward_only(Space(), problem_.mask, {.passes = Passes::forward});
  expect_invalid({"attention_backward: ", "Passes::forward_and_backward"}, [&] { backward(good(), forward_only); });
  expect_untouched();
}

TEST_F(AttentionErrors, UnknownVariantsListTheKnown) {
  for (const std::string& name : kernel_names()) {
    expect_both({"variant = portabel", "known are", name}, [](Arguments& a) { a.options.variant = "portabel"; });
  }
}

#ifdef KOKKOS_ENABLE_CUDA
TEST_F(AttentionErrors, MemoryThatTheSpaceCannotReach) {
  const ViewRef host = keep(Kokkos::View<float***, Kokkos::LayoutRight, Kokkos::HostSpace>("test", 33, 8, 16));
  expect_both({"q lies in memory that the execution space cannot reach"}, [&](Arguments& a) { a.q = host; });
}
#endif

TEST(WorkspaceErrors, MemoryThatIsNotThereIsNamedInBytes) {
  // 2^20 heads of one shared row each: terabytes of workspace without terabytes of tensors.
  constexpr std::size_t rows = 1 << 21, heads = 1 << 20;
  const Kokkos::View<float*, Space> memory("test", 1);
  const ViewRef row = Kokkos::View<const float***, Kokkos::LayoutStride, Space>(
      memory.data(), Kokkos::LayoutStride(rows, 0, heads, 0, 1, 1));
  const ViewRef out = Kokkos::View<float***, Kokkos::LayoutStride, Space>(
      memory.data(), Kokkos::LayoutStride(rows, heads, heads, 1, 1, 1));
  const ViewRef lse =
      Kokkos::View<const float**, Kokkos::LayoutStride, Space>(memory.data(), Kokkos::LayoutStride(rows, 0, heads, 0));
  const AttentionPlan<Space> plan(Space(), Mask::from_slices(rows, rows, {}));
  expect_error(ErrorKind::resources, {"attention_backward", "8796093022208 bytes", "bytes are there"},
               [&] { attention_backward(Space(), plan, row, row, row, row, row, lse, out, out, out); });
}

}  // namespace
}  // namespace caesura::testing
