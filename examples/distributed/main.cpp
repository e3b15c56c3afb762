// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Documents of different lengths on four ranks, forward and backward, and the same on one: out and dk have to agree.
// With MPI only the communicator is another: caesura::comm::MpiCommunicator(MPI_COMM_WORLD).

#include <caesura/comm/in_process.hpp>
#include <caesura/distributed/distributed.hpp>
#include <caesura/documents.hpp>
#include <caesura/error.hpp>
#include <caesura/solver/solver.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace {

using Tensor = Kokkos::View<float***, Kokkos::LayoutRight, Kokkos::HostSpace>;
using Statistic = Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace>;

constexpr int heads_q = 4, heads_kv = 2, dim = 32, total = 1200;

Tensor numbers(const char* label, int heads, float phase) {
  const Tensor result(label, total, static_cast<std::size_t>(heads), dim);
  for (std::size_t i = 0; i < result.size(); ++i) result.data()[i] = std::sin(0.37F * static_cast<float>(i) + phase);
  return result;
}

/// `out` and `dk` of the whole sequence, computed by \p ranks ranks.
void attend(int ranks, const Tensor& out, const Tensor& dk) {
  const auto mask = caesura::Mask::from_documents(caesura::Documents::from_lengths({700, 20, 330, 150}));
  const Tensor q = numbers("q", heads_q, 0), k = numbers("k", heads_kv, 1), v = numbers("v", heads_kv, 2),
               dout = numbers("dout", heads_q, 3);
  caesura::comm::run_in_process(ranks, [&](const caesura::comm::Communicator& comm) {
    const Kokkos::Serial space(Kokkos::NewInstance{});  // every rank launches on an instance of its own
    const caesura::solver::Plan plan = caesura::solver::solve(mask, caesura::cluster_of(comm));
    caesura::DistributedAttention<Kokkos::Serial> attention(space, comm, plan,
                                                            {.heads_q = heads_q, .heads_kv = heads_kv, .dim = dim});

    // Each rank takes its rows of the whole tensors, in the plan's order.
    const auto rows = static_cast<std::size_t>(plan.local_tokens(comm.rank()).size());
    const Tensor own_q("q", rows, heads_q, dim), own_k("k", rows, heads_kv, dim), own_v("v", rows, heads_kv, dim),
        own_out("out", rows, heads_q, dim), own_dout("dout", rows, heads_q, dim), dq("dq", rows, heads_q, dim),
        own_dk("dk", rows, heads_kv, dim), dv("dv", rows, heads_kv, dim);
    const Statistic lse("lse", rows, heads_q);
    const auto give = [&](const Tensor& whole, const Tensor& own) {
      caesura::distribute(space, comm, plan.placement(), whole, own, caesura::every_rank).wait();
    };
    give(q, own_q), give(k, own_k), give(v, own_v), give(dout, own_dout);

    caesura::KeptKeys kept = attention.keep_keys();  // one a layer: its backward receives no keys again
    attention.forward(own_q, own_k, own_v, own_out, lse, {.softcap = 30}, &kept);
    const auto received = static_cast<long long>(attention.last_call().bytes_received);
    attention.backward(own_dout, own_q, own_k, own_v, own_out, lse, dq, own_dk, dv, {.softcap = 30}, &kept);

    caesura::collect(space, comm, plan.placement(), own_out, out).wait();
    caesura::collect(space, comm, plan.placement(), own_dk, dk).wait();
    space.fence();
    std::printf("rank %d of %d: %4zu tokens, %7lld bytes received\n", comm.rank(), ranks, rows, received);
  });
}

float largest_difference(const Tensor& a, const Tensor& b) {
  float result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) result = std::max(result, std::abs(a.data()[i] - b.data()[i]));
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard kokkos(argc, argv);
  try {
    const Tensor out("out", total, heads_q, dim), one_out("out", total, heads_q, dim), dk("dk", total, heads_kv, dim),
        one_dk("dk", total, heads_kv, dim);
    attend(4, out, dk);
    attend(1, one_out, one_dk);
    const float out_error = largest_difference(out, one_out), dk_error = largest_difference(dk, one_dk);
    std::printf("largest difference: out %.1e, dk %.1e\n", static_cast<double>(out_error),
                static_cast<double>(dk_error));
    return out_error < 1e-5F && dk_error < 1e-4F ? 0 : 1;
  } catch (const caesura::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
