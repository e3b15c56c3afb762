# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's scaled_dot_product_attention on the CPU.

Everything that can be done beforehand is: tensors are in the layout that PyTorch prefers, every document is a tensor of
its own, outputs are not put together again, and grouped heads go the faster of two ways."""

import time

import torch
from torch.nn.functional import scaled_dot_product_attention

SCALARS = {"float": torch.float32, "double": torch.float64, "half": torch.float16, "bfloat16": torch.bfloat16}


def version():
    return f"PyTorch {torch.__version__}"


def prepare(case, direction, scalar, threads):
    """A function that runs the case once."""
    torch.set_num_threads(threads)
    torch.manual_seed(7)
    group = case["heads_q"] // case["heads_kv"]
    if group == 1:
        return step(case, direction, scalar, case["heads_kv"], False)
    candidates = [step(case, direction, scalar, case["heads_kv"], True),
                  step(case, direction, scalar, case["heads_q"], False)]  # keys repeated beforehand
    return min(candidates, key=seconds)


def step(case, direction, scalar, heads_kv, enable_gqa):
    def uniform(length, heads):
        values = torch.empty(1, heads, length, case["dim"]).uniform_(-1, 1).to(SCALARS[scalar])
        return values.requires_grad_(direction == "backward")

    documents = [[uniform(n, case["heads_q"]), uniform(n, heads_kv), uniform(n, heads_kv)] for n in case["lengths"]]

    def forward():
        return [scaled_dot_product_attention(*qkv, is_causal=True, enable_gqa=enable_gqa) for qkv in documents]

    if direction == "forward":
        return torch.no_grad()(forward)
    outs = forward()
    gradients = [torch.empty_like(out).uniform_(-1, 1) for out in outs]

    def backward():
        for document, out, gradient in zip(documents, outs, gradients):
            torch.autograd.grad(out, document, gradient, retain_graph=True)

    return backward


def seconds(run):
    run()
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
