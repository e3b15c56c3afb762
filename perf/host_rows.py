# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""What `perf/run host` measures, what it must reach and what it aims at."""

import dataclasses


@dataclasses.dataclass
class Row:
    direction: str
    case: str
    scalar: str
    must: float = 0  # shares of the peak; 0: only reported
    aim: float = 0
    must_ratio: float = 0  # multiples of PyTorch
    aim_ratio: float = 0

    @property
    def name(self):
        return f"{self.direction}/{self.case}/{self.scalar}"


ROWS = [
    Row("forward", "causal_4096_dim128", "float", 0.88, 0.92),
    Row("forward", "causal_4096_dim64", "float", 0.86, 0.91),
    Row("forward", "gqa32_8_causal_2048_dim128", "float", 0.88, 0.92),
    Row("backward", "causal_4096_dim128", "float", 0.80, 0.87),
    Row("backward", "causal_4096_dim64", "float", 0.75, 0.84),
    Row("backward", "gqa32_8_causal_2048_dim128", "float", 0.78, 0.86),
    Row("forward", "causal_4096_dim128", "bfloat16", 0.77, 0.86, must_ratio=2.2),
    Row("forward", "causal_4096_dim64", "bfloat16", 0.70, 0.80, must_ratio=2.2),
    Row("backward", "causal_4096_dim128", "bfloat16", 0.62, 0.72, must_ratio=1.3),
    Row("backward", "causal_4096_dim64", "bfloat16", 0.55, 0.65, must_ratio=1.3),
    Row("forward", "causal_4096_dim128", "double"),
    Row("forward", "causal_4096_dim64", "double", 0.78, 0.85),
    Row("backward", "causal_4096_dim128", "double"),
    Row("backward", "causal_4096_dim64", "double", 0.70, 0.78),
    Row("forward", "skewed_7_to_4096_dim64", "float", 0.84, 0.90, must_ratio=1.45),
    Row("backward", "skewed_7_to_4096_dim64", "float"),
    Row("forward", "documents_512x30_dim64", "float", must_ratio=6, aim_ratio=8),
    Row("backward", "documents_512x30_dim64", "float"),
]

# Run with one thread and with all.
SCALING = [Row("forward", "causal_4096_dim128", "float", must_ratio=1.95, aim_ratio=1.98),
           Row("backward", "causal_4096_dim128", "float", must_ratio=1.95, aim_ratio=1.98)]


def work_weighted_length(lengths):
    """The mean length of the documents that visible pairs are in (causal)."""
    pairs = [length * (length + 1) // 2 for length in lengths]
    return sum(length * count for length, count in zip(lengths, pairs)) / sum(pairs)


def pack_rows(cases):
    rows = []
    for case in cases:
        if case["name"].startswith("pack_"):
            judged = work_weighted_length(case["lengths"]) > 4096
            rows.append(Row("forward", case["name"], "float", *((0.80, 0.87) if judged else ())))
            rows.append(Row("backward", case["name"], "float"))
    return rows
