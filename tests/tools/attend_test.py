#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""`attend`: arrays in, arrays out, and nothing written where something is wrong."""

import json
import math
import random
import unittest

from program import ProgramTest, read_npy, write_npy

ARRAYS = ["--q", "q.npy", "--k", "k.npy", "--v", "v.npy", "--output", "results"]


class Attend(ProgramTest):
    def array(self, name, shape, descr="<f4", **how):
        generator = random.Random(name)
        values = [round(generator.gauss(0, 1) * 64) / 64 for _ in range(math.prod(shape))]  # exact in float16
        write_npy(self.folder / name, shape, values, descr, **how)
        return values

    def arrays(self, tokens=12, heads_q=4, heads_kv=2, dim=8, dim_v=6, descr="<f4", batch=()):
        return {name: self.array(name, (*batch, tokens, heads, width), descr)
                for name, heads, width in (("q.npy", heads_q, dim), ("k.npy", heads_kv, dim), ("v.npy", heads_kv, dim_v), ("dout.npy", heads_q, dim_v))}

    def result(self, name):
        return read_npy(self.folder / "results" / name)

    def close(self, a, b, tolerance):
        self.assertEqual(len(a), len(b))
        self.assertLess(max(abs(x - y) for x, y in zip(a, b)), tolerance)

    def rejected(self, text, *arguments, status=2):
        self.refuse(text, "attend", *ARRAYS, *arguments, status=status)
        self.assertFalse((self.folder / "results").exists())

    def test_a_token_that_sees_only_itself_gets_its_value(self):
        q, k, v, dout = self.arrays().values()
        self.succeed("attend", *ARRAYS, "--dout", "dout.npy", "--window", "0,0", "--scale", "0.5")
        expected = [v[(t * 2 + h // 2) * 6 + i] for t in range(12) for h in range(4) for i in range(6)]
        self.assertEqual(self.result("out.npy"), ("<f4", (12, 4, 6), tuple(expected)))
        _, shape, lse = self.result("lse.npy")
        self.assertEqual(shape, (12, 4))
        self.close(lse, [0.5 * sum(q[(t * 4 + h) * 8 + i] * k[(t * 2 + h // 2) * 8 + i] for i in range(8)) for t in range(12) for h in range(4)], 1e-5)
        self.close(self.result("dq.npy")[2], [0] * (12 * 4 * 8), 1e-5)
        self.close(self.result("dv.npy")[2], [sum(dout[(t * 4 + 2 * h + g) * 6 + i] for g in (0, 1)) for t in range(12) for h in (0, 1) for i in range(6)], 1e-5)
        self.assertEqual(sorted(path.name for path in (self.folder / "results").iterdir()), ["dk.npy", "dq.npy", "dv.npy", "lse.npy", "out.npy"])

    def test_types_agree_within_their_rounding(self):
        self.arrays(descr="<f8")
        self.succeed("attend", *ARRAYS, "--dout", "dout.npy")
        exact = {name: self.result(name)[2] for name in ("out.npy", "lse.npy", "dq.npy", "dk.npy", "dv.npy")}
        for dtype, stored, tolerance in (("float", "<f4", 2e-5), ("half", "<f2", 2e-2), ("bfloat16", "<f4", 0.2)):
            self.succeed("attend", *ARRAYS, "--dout", "dout.npy", "--dtype", dtype)
            for name, values in exact.items():
                with self.subTest(f"{dtype} {name}"):
                    descr, _, computed = self.result(name)
                    self.assertEqual(descr, "<f4" if name == "lse.npy" else stored)
                    self.close(computed, values, tolerance)

    def test_float16_files_stay_float16(self):
        self.arrays(descr="<f2")
        self.succeed("attend", *ARRAYS)
        self.assertEqual(self.result("out.npy")[0], "<f2")
        self.assertFalse((self.folder / "results" / "dq.npy").exists())

    def test_batches_are_documents(self):
        self.arrays(tokens=12, batch=(2,))
        self.succeed("attend", *ARRAYS)
        _, shape, batched = self.result("out.npy")
        self.assertEqual(shape, (2, 12, 4, 6))
        self.assertEqual(self.result("lse.npy")[1], (2, 12, 4))
        for name, heads, width in (("q.npy", 4, 8), ("k.npy", 2, 8), ("v.npy", 2, 6)):
            self.array(name, (24, heads, width))  # the same numbers
        self.file("mask.json", json.dumps({"documents": [12, 12]}))
        self.succeed("attend", *ARRAYS, "--mask", "mask.json")
        self.assertEqual(self.result("out.npy")[2], batched)

    def test_fortran_order_and_format_2(self):
        values = self.arrays()["q.npy"]
        self.succeed("attend", *ARRAYS)
        expected = self.result("out.npy")
        columns = [values[(t * 4 + h) * 8 + i] for i in range(8) for h in range(4) for t in range(12)]
        write_npy(self.folder / "q.npy", (12, 4, 8), columns, fortran_order=True, version=2)
        self.succeed("attend", *ARRAYS)
        self.assertEqual(self.result("out.npy"), expected)

    def test_sinks(self):
        self.arrays()
        for shape in ((4,), (4, 3)):
            self.array("sink.npy", shape, "<f8")
            self.succeed("attend", *ARRAYS, "--dout", "dout.npy", "--sink", "sink.npy")
            self.assertEqual(self.result("dsink.npy")[:2], ("<f4", shape))

    def test_a_mask_that_sees_nothing(self):
        self.arrays()
        self.file("mask.json", json.dumps({"total_q": 12, "slices": []}))
        self.succeed("attend", *ARRAYS, "--mask", "mask.json", "--dout", "dout.npy")
        self.assertEqual(set(self.result("lse.npy")[2]), {-math.inf})
        for name in ("out.npy", "dq.npy", "dk.npy", "dv.npy"):
            self.assertEqual(set(self.result(name)[2]), {0.0})

    def test_bad_files(self):
        self.arrays()
        (self.folder / "q.npy").unlink()
        self.rejected("q.npy: cannot be read: must be a .npy file")
        self.file("q.npy", "text")
        self.rejected("q.npy: does not start as a .npy file: must be one (numpy.save)")
        self.array("q.npy", (12, 4, 8), keep_bytes=100)
        self.rejected("q.npy: shape = (12, 4, 8): needs more than the 100 bytes that follow the header: the file must be whole")
        write_npy(self.folder / "q.npy", (12, 4, 8), [0] * 384, "<i4")
        self.rejected("q.npy: dtype = '<i4': must be little-endian float64, float32 or float16 ('<f8', '<f4' or '<f2')")
        write_npy(self.folder / "q.npy", (12, 4, 8), [0] * 384, ">f4")
        self.rejected("q.npy: dtype = '>f4': must be little-endian float64, float32 or float16 ('<f8', '<f4' or '<f2')")

    def test_headers_that_lie(self):
        self.arrays()
        write_npy(self.folder / "q.npy", (2**40, 2**30, 8), [0] * 10)  # the product does not fit 64 bits
        self.rejected("q.npy: shape = (1099511627776, 1073741824, 8): needs more than the 40 bytes that follow the header: the file must be whole")
        whole = self.folder / "k.npy"
        whole.write_bytes(whole.read_bytes().replace(b"'shape'", b"'shope'"))
        self.array("q.npy", (12, 4, 8))
        self.rejected("k.npy: header without 'shape': must be a .npy file")
        whole.write_bytes(b"\x93NUMPY\x01\x00\xff\xff{")
        self.rejected("k.npy: ends inside its header: must be a whole .npy file")

    def test_shapes_that_do_not_fit(self):
        cases = [
            ("q.npy", (12, 32), "must be (tokens, heads, dim) or (batch, tokens, heads, dim)"),
            ("q.npy", (12, 4, 0), "must have a dim (the last extent) from 1 to 512"),
            ("q.npy", (1, 1, 600), "must have a dim (the last extent) from 1 to 512"),
            ("k.npy", (12, 2, 7), "must have the dim (the last extent) of q, 8"),
            ("k.npy", (12, 3, 8), "must have a number of heads that divides that of q, 4"),
            ("k.npy", (1, 12, 2, 8), "must have 3 extents, as q has"),
            ("v.npy", (11, 2, 6), "must be that of k, (12, 2, 8), up to the last extent"),
            ("dout.npy", (12, 4, 8), "must be that of out, (12, 4, 6)"),
            ("sink.npy", (3,), "must be (heads_q) or (heads_q, sinks) with heads_q = 4"),
        ]
        for name, shape, rule in cases:
            with self.subTest(f"{name} {shape}"):
                self.arrays()
                self.array("sink.npy", (4,))
                self.array(name, shape)
                self.rejected(f"{name}: shape = {shape}: {rule}", "--dout", "dout.npy", "--sink", "sink.npy")

    def test_mixed_types_need_a_conversion(self):
        self.arrays()
        self.array("v.npy", (12, 2, 6), "<f8")
        self.rejected("v.npy: dtype = double: must be that of q.npy, float (--dtype converts all of them)")
        self.succeed("attend", *ARRAYS, "--dtype", "float")

    def test_masks_that_do_not_fit(self):
        self.arrays()
        self.rejected("--mask = casual: must be full, causal, causal_top_left, inverse_causal or bi_causal, or a mask file that exists", "--mask", "casual")
        self.file("mask.json", json.dumps({"documents": [6, 5], "documents_k": [6, 6]}))
        self.rejected("q.npy: 12 rows: must be 11, as many as mask.json has queries", "--mask", "mask.json")
        self.file("mask.json", json.dumps({"total_q": 12, "total_k": 13, "slices": []}))
        self.rejected("k.npy: 12 rows: must be 13, as many as mask.json has keys", "--mask", "mask.json")
        self.rejected("--window: must not stand beside a mask file: mask.json says all of the mask", "--mask", "mask.json", "--window", "1,0")

    def test_missing_arguments_and_outputs(self):
        self.refuse("--q is required (caesura attend --help)", "attend")
        self.arrays()
        self.file("results", "")
        self.refuse("--output = results: must be a folder, or not exist yet", "attend", *ARRAYS)


if __name__ == "__main__":
    unittest.main()
