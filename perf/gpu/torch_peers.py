# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's ways to do a case. What can be done beforehand is: masks, compilation, outputs to differentiate."""

import inspect
import time

import torch
from torch.nn.functional import scaled_dot_product_attention

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LOOP_LIMIT = 128  # documents: above it a loop measures the host


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def mean_seconds(run, count):
    """Of `count` runs behind each other, by events of the stream, as ours."""
    synchronize()
    if DEVICE == "cpu":
        begin = time.perf_counter()
        for _ in range(count):
            run()
        return (time.perf_counter() - begin) / count
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(count):
        run()
    end.record()
    synchronize()
    return begin.elapsed_time(end) * 1e-3 / count


def inputs(case, direction, heads_kv=None):
    """q, k and v: (tokens, heads, dim)"""
    heads_kv = heads_kv or case.heads_kv
    return [
        torch.randn(
            case.tokens, heads, case.dim, device=DEVICE, dtype=torch.bfloat16, requires_grad=direction == "backward"
        )
        for heads in (case.heads_q, heads_kv, heads_kv)
    ]


def offsets(case):
    lengths = torch.tensor(case.lengths, device=DEVICE)
    return torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)


def step(direction, leaves, forward):
    """A function that runs one pass. `leaves`: what gradients are asked for."""
    if direction == "forward":
        return torch.no_grad()(forward)
    outs = forward()
    outs = outs if isinstance(outs, list) else [outs]
    gradients = [torch.randn_like(out) for out in outs]
    return lambda: torch.autograd.grad(outs, leaves, gradients, retain_graph=True)


def sdpa_backend(name):
    from torch.nn.attention import SDPBackend

    return {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION}[name]


def dense(case, direction, backend):
    """One document: (1, heads, tokens, dim) over packed memory. Grouped heads the faster of two ways."""
    from torch.nn.attention import sdpa_kernel

    def candidate(heads_kv, enable_gqa):
        leaves = inputs(case, direction, heads_kv)

        def forward():
            q, k, v = (leaf.unsqueeze(0).transpose(1, 2) for leaf in leaves)
            with sdpa_kernel(sdpa_backend(backend)):
                return scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=enable_gqa)

        return step(direction, leaves, forward)

    if case.heads_q == case.heads_kv:
        return candidate(case.heads_kv, False)
    able, error = [], None
    for way in ((case.heads_kv, True), (case.heads_q, False)):  # the second: keys repeated beforehand
        try:
            run = candidate(*way)
            run()
            able.append((mean_seconds(run, 3), run))
        except Exception as failed:
            error = failed
    if not able:
        raise error
    return min(able, key=lambda pair: pair[0])[1]


def loop(case, direction, backend):
    """A call for every document."""
    from torch.nn.attention import sdpa_kernel

    leaves = inputs(case, direction)

    def forward():
        parts = zip(*(leaf.unsqueeze(0).transpose(1, 2).split(case.lengths, dim=2) for leaf in leaves))
        with sdpa_kernel(sdpa_backend(backend)):
            return [
                scaled_dot_product_attention(*qkv, is_causal=True, enable_gqa=case.heads_q != case.heads_kv)
                for qkv in parts
            ]

    return step(direction, leaves, forward)


def nested(case, direction, backend):
    """Jagged tensors, (documents, heads, *, dim)."""
    from torch.nn.attention import sdpa_kernel

    cumulative = offsets(case).to(torch.int64)
    leaves = inputs(case, direction)

    def forward():
        q, k, v = (
            torch.nested.nested_tensor_from_jagged(
                leaf, cumulative, min_seqlen=min(case.lengths), max_seqlen=max(case.lengths)
            ).transpose(1, 2)
            for leaf in leaves
        )
        with sdpa_kernel(sdpa_backend(backend)):
            return scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).values()

    return step(direction, leaves, forward)


def varlen(case, direction):
    from torch.nn.attention.varlen import varlen_attn

    leaves = inputs(case, direction)
    known = inspect.signature(varlen_attn).parameters  # they differ between versions
    options = {"is_causal": True} if "is_causal" in known else {"window_size": (-1, 0)}
    if case.heads_q != case.heads_kv and "enable_gqa" in known:
        options["enable_gqa"] = True
    cumulative, longest = offsets(case), max(case.lengths)
    return step(direction, leaves, lambda: varlen_attn(*leaves, cumulative, cumulative, longest, longest, **options))


def document_blocks(case, mask_mod, block=128):
    """The block mask of causal documents, from the documents at the blocks' ends: what `create_block_mask` makes, without
    a mask of tokens x tokens, which takes 77 GB for 8,192 documents of 34."""
    from torch.nn.attention.flex_attention import BlockMask

    documents = torch.repeat_interleave(
        torch.arange(len(case.lengths), device=DEVICE), torch.tensor(case.lengths, device=DEVICE)
    )
    first, last = documents[::block], documents[block - 1 :: block]
    index = torch.arange(first.numel(), device=DEVICE)
    some = (index[:, None] >= index[None, :]) & (first[:, None] <= last[None, :])
    full = (index[:, None] > index[None, :]) & (last[:, None] == first[None, :])

    def ordered(blocks):
        counts = blocks.sum(-1, dtype=torch.int32)
        order = blocks.to(torch.int8).argsort(dim=-1, descending=True, stable=True).to(torch.int32)
        return counts[None, None], order[None, None]

    return BlockMask.from_kv_blocks(*ordered(some & ~full), *ordered(full), BLOCK_SIZE=block, mask_mod=mask_mod)


def flex(case, direction):
    import torch._functorch.config
    from torch.nn.attention.flex_attention import flex_attention

    torch._functorch.config.donated_buffer = False  # the graph is kept between backwards
    documents = torch.repeat_interleave(
        torch.arange(len(case.lengths), device=DEVICE, dtype=torch.int32), torch.tensor(case.lengths, device=DEVICE)
    )

    def visible(_, __, q, k):
        return (q >= k) & (documents[q] == documents[k])

    blocks = document_blocks(case, visible)
    attention = torch.compile(flex_attention, dynamic=False)
    leaves = inputs(case, direction)

    def forward():
        q, k, v = (leaf.unsqueeze(0).transpose(1, 2) for leaf in leaves)
        return attention(q, k, v, block_mask=blocks, enable_gqa=case.heads_q != case.heads_kv)

    return step(direction, leaves, forward)


def peers(case):
    """{name: function of the direction that makes a function that runs a step}"""
    if len(case.lengths) == 1:
        return {
            "cuDNN": lambda d: dense(case, d, "cudnn"),
            "flash": lambda d: dense(case, d, "flash"),
            "varlen_attn": lambda d: varlen(case, d),
        }
    found = {
        "varlen_attn": lambda d: varlen(case, d),
        "flex_attention": lambda d: flex(case, d),
        "nested cuDNN": lambda d: nested(case, d, "cudnn"),
        "nested flash": lambda d: nested(case, d, "flash"),
    }
    if len(case.lengths) <= LOOP_LIMIT:
        found["loop of cuDNN"] = lambda d: loop(case, d, "cudnn")
    return found


class Peaks:
    """What the GPU reaches: a product of 8192 x 8192 x 8192 bfloat16 numbers, and a copy of 1 GiB, read and written."""

    def __init__(self, size=8192, copied=1 << 30):
        self.flops, self.bytes = 2 * size**3, 2 * copied
        self.a, self.b = (torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
        self.from_ = torch.randint(0, 127, (copied,), device=DEVICE, dtype=torch.int8)
        self.to = torch.empty_like(self.from_)
        self.measure()  # libraries are loaded at the first call

    def measure(self):
        """(TFLOP/s, TB/s)"""
        product = mean_seconds(lambda: torch.matmul(self.a, self.b), 10)
        copy = mean_seconds(lambda: self.to.copy_(self.from_), 10)
        return self.flops / product * 1e-12, self.bytes / copy * 1e-12


def release():
    """Memory of the last case, for the next one and for our program."""
    if DEVICE == "cuda":
        torch.cuda.empty_cache()


def device_name():
    return torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"
