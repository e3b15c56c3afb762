# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""What is measured on a GPU: bfloat16, causal; the most telling cases first, as time may run out."""

import dataclasses
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@dataclasses.dataclass
class Case:
    name: str
    lengths: list
    heads_q: int
    heads_kv: int
    dim: int

    @property
    def tokens(self):
        return sum(self.lengths)

    @property
    def area(self):
        return sum(length * (length + 1) // 2 for length in self.lengths)

    def flops(self, direction):
        """4 x visible pairs x dim x heads_q, the backward 2.5 times that."""
        return 4 * self.area * self.dim * self.heads_q * (2.5 if direction == "backward" else 1)

    def command(self, kernel="-", scalar="bfloat16"):
        """As attention_steps reads it: runs of equal lengths are written once."""
        runs = []
        for length in self.lengths:
            if runs and runs[-1][0] == length:
                runs[-1][1] += 1
            else:
                runs.append([length, 1])
        lengths = " ".join(f"{length}x{count}" if count > 1 else str(length) for length, count in runs)
        return f"case {scalar} {kernel} causal {self.heads_q} {self.heads_kv} {self.dim} {lengths}"


def pack(path, tokens):
    """The first `tokens` tokens of a file of document lengths, the last document cut: perf/packs.hpp."""
    words = [line.split()[0] for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    everything = [int(word) for word in words if int(word) > 0]
    lengths, at = [], 0
    while tokens > 0:
        lengths.append(min(everything[at % len(everything)], tokens))
        tokens -= lengths[-1]
        at += 1
    return lengths


def cases():
    return [
        Case("causal_16k_dim128", [16384], 16, 16, 128),
        Case("pack_mixed_pretraining_32k_dim128", pack(ROOT / "data/mixed_pretraining.txt", 32768), 16, 16, 128),
        Case("documents_8192x34_dim64", [34] * 8192, 8, 8, 64),
        Case("causal_8k_dim128", [8192], 16, 16, 128),
        Case("causal_4k_dim128", [4096], 16, 16, 128),
        Case("gqa32_8_causal_8k_dim128", [8192], 32, 8, 128),
        Case("causal_16k_dim64", [16384], 32, 32, 64),
        Case("causal_8k_dim64", [8192], 32, 32, 64),
        Case("causal_4k_dim64", [4096], 32, 32, 64),
    ]


def case_named(name):
    return next(case for case in cases() if case.name == name)
