# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

"""Runs `caesura attend` on random arrays and compares with attention.py.

usage: attend_test.py PROGRAM
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError:
    sys.exit("attend_test.py: numpy: not found (Debian: python3-numpy)")

from attention import attention, document_pairs, visible_pairs

PROGRAM = ""

# Relative to the largest element of a tensor: rounding of inputs' products, of sums, and of the stored results.
TOLERANCES = {np.float64: 1e-12, np.float32: 5e-6, np.float16: 3e-3}

UNEVEN = {"documents": [60, 0, 41, 80, 1, 18], "documents_k": [75, 9, 20, 80, 30, 18]}

MASKS = {
    "causal": {"documents": [100, 80, 20]},
    "full": {"documents": [100, 80, 20], "mask": "full"},
    "window": {**UNEVEN, "window": [24, 0]},
    "window_and_chunk": {**UNEVEN, "mask": "causal", "window": [24, -1], "chunk": 32},
    "two_sided": {**UNEVEN, "mask": "full", "window": [5, 9]},
    "top_left": {**UNEVEN, "mask": "causal_top_left", "chunk": 13},
    "slices": {
        "total_q": 200,
        "total_k": 232,
        "slices": [
            {"q": [0, 60], "k": [0, 90], "type": "causal"},
            {"q": [0, 60], "k": [90, 100], "type": "full"},
            {"q": [60, 120], "k": [20, 60], "type": "inverse_causal"},
            {"q": [110, 170], "k": [100, 190], "type": "bi_causal"},
            {"q": [170, 195], "k": [0, 232], "diagonal": [-40, 10]},
            {"q": [195, 200], "k": [50, 232], "diagonal": [None, -70]},
            {"q": [120, 130], "k": [0, 40], "diagonal": [-100, None]},
        ],
    },
}


class Attend(unittest.TestCase):
    def run_program(self, folder, *arguments):
        command = [PROGRAM, "attend", "--output", str(folder / "results"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return {path.stem: np.load(path) for path in (folder / "results").glob("*.npy")}

    def compare(self, got, expected, dtype, sink_shape=None):
        names = {name for name in expected if name != "dsink" or sink_shape}
        self.assertEqual(set(got), names)
        accumulator = np.float64 if dtype == np.float64 else np.float32
        for name in sorted(names):
            want, have = expected[name], got[name]
            if name == "dsink":
                want = want.reshape(sink_shape)
            self.assertEqual(have.shape, want.shape, name)
            # Statistics come in the accumulator type.
            self.assertEqual(have.dtype, accumulator if name in ("lse", "dsink") else dtype, name)
            finite = np.isfinite(want)
            np.testing.assert_array_equal(have[~finite], want[~finite], name)
            limit = TOLERANCES[dtype] * max(1.0, np.abs(want[finite]).max(initial=0))
            difference = np.abs(have.astype(np.float64) - want)[finite]
            self.assertLess(difference.max(initial=0), limit, f"{name}: largest difference, limit {limit}")

    def check(self, description, dtype, seed, shape=(4, 2, 24, 40), sinks=None, softcap=0.0, scale=None, backward=True):
        random = np.random.default_rng(seed)
        pairs = visible_pairs(description)
        heads_q, heads_kv, dim, dim_v = shape

        def array(*extents, kind=dtype):
            return random.uniform(-1, 1, extents).astype(kind)

        arrays = {
            "q": array(pairs.shape[0], heads_q, dim),
            "k": array(pairs.shape[1], heads_kv, dim),
            "v": array(pairs.shape[1], heads_kv, dim_v),
        }
        if backward:
            arrays["dout"] = array(pairs.shape[0], heads_q, dim_v)
        if sinks:
            arrays["sink"] = array(*sinks, kind=np.float64 if dtype == np.float64 else np.float32)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "mask.json").write_text(json.dumps(description))
            arguments = ["--mask", folder / "mask.json"]
            for array_name, values in arrays.items():
                np.save(folder / f"{array_name}.npy", values)
                arguments += [f"--{array_name}", folder / f"{array_name}.npy"]
            if softcap:
                arguments += ["--softcap", softcap]
            if scale is not None:
                arguments += ["--scale", scale]
            got = self.run_program(folder, *arguments)
        expected = attention(pairs, **arrays, softcap=softcap, scale=scale)
        self.compare(got, expected, dtype, sinks if backward else None)

    def test_every_mask_and_type(self):
        for seed, (name, description) in enumerate(MASKS.items()):
            for dtype in TOLERANCES:
                with self.subTest(mask=name, dtype=dtype.__name__, seed=seed):
                    self.check(description, dtype, seed)

    def test_everything_at_once(self):
        # Window, chunk, grouped heads, sinks, softcap, and documents with unequal queries and keys.
        for dtype in TOLERANCES:
            for sinks in ((6,), (6, 3)):
                with self.subTest(dtype=dtype.__name__, sinks=sinks):
                    description = {**UNEVEN, "mask": "causal", "window": [30, 0], "chunk": 48}
                    self.check(description, dtype, 71, (6, 2, 33, 17), sinks, softcap=1.5, scale=0.4)

    def test_forward_alone(self):
        self.check(MASKS["window"], np.float32, 72, (3, 1, 8, 8), sinks=(3,), backward=False)

    def test_rows_without_keys(self):
        description = {"documents": [9, 5], "documents_k": [4, 0]}
        self.check(description, np.float32, 73)
        self.check(description, np.float32, 74, sinks=(4,))

    def test_mask_by_name_on_a_batch(self):
        random = np.random.default_rng(75)
        q, dout = random.uniform(-1, 1, (2, 2, 40, 4, 16)).astype(np.float32)
        k, v = random.uniform(-1, 1, (2, 2, 50, 2, 16)).astype(np.float32)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for array_name, values in {"q": q, "k": k, "v": v, "dout": dout}.items():
                np.save(folder / f"{array_name}.npy", values)
            files = [x for n in ("q", "k", "v", "dout") for x in (f"--{n}", folder / f"{n}.npy")]
            got = self.run_program(folder, *files, "--mask", "causal", "--window", "12,0")
        pairs = document_pairs(40, 50, "causal", (12, 0))
        parts = [attention(pairs, q[b], k[b], v[b], dout[b]) for b in range(2)]
        self.compare(got, {n: np.stack([part[n] for part in parts]) for n in parts[0]}, np.float32)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = sys.argv.pop(1)
    unittest.main()
