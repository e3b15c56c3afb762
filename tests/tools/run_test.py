#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""`run`, `bench` and `info` as they should go."""

import json
import unittest
import xml.etree.ElementTree

from program import ProgramTest


class Run(ProgramTest):
    def test_verified_for_every_type(self):
        for dtype in ("double", "float", "half", "bfloat16"):
            with self.subTest(dtype):
                result = self.succeed_json("run", "--documents", "100,80,76", "--heads-q", "4", "--heads-kv", "2", "--dim", "40", "--dim-v", "24",
                                           "--dtype", dtype, "--window", "32,0", "--softcap", "30", "--dropout", "0.1", "--seed", "7", "--verify")
                self.assertTrue(result["verified"])
                self.assertEqual(set(result["max_error"]), {"out", "lse", "dq", "dk", "dv"})

    def test_json(self):
        result = self.succeed_json("run", "--documents", "100,80,76", "--heads-kv", "2", "--repeat", "2")
        self.assertEqual((result["tokens"], result["documents"], result["area"]), (256, 3, 5050 + 3240 + 2926))
        self.assertEqual(result["mask"]["kind"], "causal")
        self.assertEqual(result["shape"], {"heads_q": 8, "heads_kv": 2, "dim_qk": 64, "dim_v": 64, "dtype": "float"})
        flops = 4 * result["area"] * 64 * 8
        for name, factor in (("forward", 1), ("backward", 2.5)):
            timing = result[name]
            self.assertAlmostEqual(timing["gflops"] * timing["seconds"] * 1e9, factor * flops, delta=flops * 1e-6)
            self.assertLessEqual(timing["min_seconds"], timing["seconds"])
        self.assertGreater(result["machine_peak_gflops"], 0)
        self.assertTrue(result["variant"])
        self.assertNotIn("max_error", result)

    def test_failed_verification(self):
        done = self.run_program("run", "--documents", "10", "--scale", "1e38", "--verify", "--json", "run.json")  # beyond what float can hold
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^caesura run: verification failed: out\[\d+,\d+,\d+\] is not finite where the reference is: must be within .*\n$")
        self.assertIn("TOO LARGE", done.stdout)
        self.assertFalse(json.loads((self.folder / "run.json").read_text())["verified"])

    def test_forward_only(self):
        result = self.succeed_json("run", "--documents", "50", "--forward-only", "--verify")
        self.assertNotIn("backward", result)
        self.assertEqual(set(result["max_error"]), {"out", "lse"})

    def test_table_and_files(self):
        table = self.succeed("run", "--documents", "100,80", "--verify", "--json", "run.json", "--picture", "mask.svg")
        for words in ("visible pairs", "forward", "backward", "GFLOP/s", "max error", "picture: mask.svg"):
            self.assertIn(words, table)
        self.assertTrue(json.loads((self.folder / "run.json").read_text())["verified"])
        root = xml.etree.ElementTree.parse(self.folder / "mask.svg").getroot()
        self.assertTrue(root.tag.endswith("svg"))
        words = " ".join("".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text"))
        self.assertIn("180 tokens in 2 documents; 8,290 visible pairs, 25.6 % of all", words)

    def test_a_picture_of_many_documents_is_a_small_file(self):
        self.succeed("run", "--documents", "3x20000", "--heads-q", "1", "--dim", "1", "--forward-only", "--repeat", "1", "--picture", "mask.svg")
        self.assertLess((self.folder / "mask.svg").stat().st_size, 200_000)

    def test_bench(self):
        result = self.succeed_json("bench", "--lengths", "64,96", "--documents", "8x4", "--heads", "2,4:2", "--dims", "16", "--dtypes", "float,half", "--repeat", "1")
        names = [case["name"] for case in result["cases"]]
        self.assertEqual(len(names), 3 * 2 * 2)
        self.assertEqual(names[0], "64/causal/heads=2:2/dim=16/float")
        self.assertTrue(all(case["forward"]["seconds"] > 0 and case["backward"]["seconds"] > 0 for case in result["cases"]))

    def test_info(self):
        result = self.succeed_json("info")
        self.assertIn(result["default_space"], [space["name"] for space in result["spaces"]])
        for space in result["spaces"]:
            portable = [kernel for kernel in space["kernels"] if kernel["name"] == "portable"]
            self.assertEqual(len(portable), 1)
            self.assertEqual(portable[0]["refuses"], {})
        self.assertIn("portable", self.succeed("info"))


if __name__ == "__main__":
    unittest.main()
