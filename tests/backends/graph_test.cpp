// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>
#include <support/masks.hpp>

#include <gtest/gtest.h>

// Calls as parts of CUDA graphs: all of a call is on the stream of its instance, and the host neither waits nor
// allocates in it. Capture refuses both.

namespace caesura::testing {
namespace {

void check(cudaError_t code, const char* call) {
  require(
      code == cudaSuccess, [&] { return text(call, ": ", cudaGetErrorString(code)); }, ErrorKind::resources);
}

class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// What a function puts on a stream, to be replayed there.
class Graph {
 public:
  /// \throws whatever \p body throws, or Error if what it called cannot be captured.
  template <class Body>
  Graph(cudaStream_t stream, const Body& body) : stream_(stream) {
    cudaGraph_t graph = nullptr;
    // Global: calls that might wait fail in whatever thread they are.
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), "cudaStreamBeginCapture");
    try {
      body();
    } catch (...) {  // the next test needs a stream that is not captured
      cudaStreamEndCapture(stream, &graph);
      cudaGraphDestroy(graph);
      cudaGetLastError();
      throw;
    }
    check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    const cudaError_t code = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    check(code, "cudaGraphInstantiate");
  }
  ~Graph() { cudaGraphExecDestroy(executable_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void replay() const {
    check(cudaGraphLaunch(executable_, stream_), "cudaGraphLaunch");
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t executable_ = nullptr;
};

template <class Scalar>
class CudaGraph : public ::testing::Test {
 protected:
  using Case = DeviceCase<Scalar>;

  static Problem problem(std::uint64_t seed) {
    Problem result(Mask::from_documents(Documents::from_lengths({200, 7, 0, 93}), {.window = {60, 0}, .prefix = 5}),
                   {4, 2, 64, 64}, seed);
    result.add_sink(1, seed + 1);
    return result;
  }

  static Case device_case(const Problem& problem, const std::string& kernel) {
    Case device(problem);
    device.options.variant = kernel;
    const auto bytes = backward_workspace_bytes(problem.mask.total_q(), problem.shape.heads_q, problem.shape.dim_qk,
                                                scalar_type_v<Scalar>, SumOrder::any);
    device.options.workspace = Kokkos::View<std::byte*, Space>("workspace", static_cast<std::size_t>(bytes));
    return device;
  }

  static void run(const Space& space, const AttentionPlan<Space>& plan, const Case& device) {
    device.forward(space, plan);
    device.backward(space, plan);
  }

  static void poison_outputs(Case& device) {
    device.out.poison(), device.lse.poison(), device.row_max.poison();
    device.dq.poison(), device.dk.poison(), device.dv.poison(), device.dsink.poison();
  }

  static std::vector<std::byte> bits_of_a_call(const Problem& problem, const std::string& kernel) {
    const Space space;
    const AttentionPlan<Space> plan(space, problem.mask);
    const Case device = device_case(problem, kernel);
    run(space, plan, device);
    space.fence();
    return device.bits();
  }
};
using Scalars = ::testing::Types<float, half, bfloat16>;
TYPED_TEST_SUITE(CudaGraph, Scalars);

TYPED_TEST(CudaGraph, ReplaysGiveTheBitsOfCalls) {
  const Problem first = this->problem(301), second = this->problem(401);
  for (const std::string& kernel : kernel_names(scalar_type_v<TypeParam>, 64)) {
    SCOPED_TRACE(kernel);
    const Stream stream;
    const Space space(stream.get());
    const AttentionPlan<Space> plan(space, first.mask);
    auto device = this->device_case(first, kernel);
    this->run(space, plan, device);  // what is done once, at the first call, is not captured
    space.fence();
    this->poison_outputs(device);

    const Graph graph(stream.get(), [&] { this->run(space, plan, device); });
    EXPECT_TRUE(device.outputs_untouched()) << "something ran outside the captured stream";
    graph.replay();
    EXPECT_EQ(device.bits(), this->bits_of_a_call(first, kernel));

    device.q.upload(second.q), device.k.upload(second.k), device.v.upload(second.v);
    device.dout.upload(second.dout), device.sink.upload(second.options.sink);
    this->poison_outputs(device);
    graph.replay();
    EXPECT_EQ(device.bits(), this->bits_of_a_call(second, kernel)) << "with other numbers in the same tensors";
  }
}

TYPED_TEST(CudaGraph, BothPassesMayBeCapturedByThemselves) {
  const Problem problem = this->problem(501);
  for (const std::string& kernel : kernel_names(scalar_type_v<TypeParam>, 64)) {
    SCOPED_TRACE(kernel);
    const Stream stream;
    const Space space(stream.get());
    const AttentionPlan<Space> plan(space, problem.mask);
    auto device = this->device_case(problem, kernel);
    this->run(space, plan, device);
    space.fence();
    this->poison_outputs(device);
    const Graph forward(stream.get(), [&] { device.forward(space, plan); });
    const Graph backward(stream.get(), [&] { device.backward(space, plan); });
    forward.replay();
    backward.replay();
    EXPECT_EQ(device.bits(), this->bits_of_a_call(problem, kernel));
  }
}

TYPED_TEST(CudaGraph, ReplaysOfAnyOrderStartFromNothing) {
  const Problem problem = this->problem(601);
  const Results expected = expected_results(problem);
  for (const std::string& kernel : kernel_names(scalar_type_v<TypeParam>, 64)) {
    SCOPED_TRACE(kernel);
    const Stream stream;
    const Space space(stream.get());
    const AttentionPlan<Space> plan(space, problem.mask);
    auto device = this->device_case(problem, kernel);
    device.options.sums = SumOrder::any;
    this->run(space, plan, device);
    space.fence();
    this->poison_outputs(device);
    const Graph graph(stream.get(), [&] { this->run(space, plan, device); });
    for (int i = 0; i < 3; ++i) graph.replay();  // dq is added up: the sums of the replay before must be gone
    expect_close(problem, expected, device.download(), scalar_type_v<TypeParam>, scalar_type_v<TypeParam>, kernel);
  }
}

}  // namespace
}  // namespace caesura::testing
