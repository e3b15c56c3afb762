#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""`run`, `bench` and `info` as they should go."""

import json
import os
import subprocess
import unittest
import xml.etree.ElementTree
from pathlib import Path

from program import PROGRAM, ProgramTest


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

    def test_info_of_the_machine(self):
        result = self.succeed_json("info", "--ranks", "1")
        machine, placement = result["machine"], result["placement"]
        self.assertGreaterEqual(machine["units"], machine["cores"])
        self.assertGreaterEqual(machine["cores"], machine["allowed_cores"])
        self.assertEqual(len(placement["ranks"]), 1)
        self.assertEqual(len(placement["ranks"][0]["units"]), placement["threads"])
        self.assertEqual(placement["environment"]["OMP_NUM_THREADS"], str(placement["threads"]))
        for library in ("mpi", "nccl", "hwloc"):
            self.assertIn(library, result["build"])
        printed = self.succeed("info", "--ranks", "3")
        for word in ("NUMA node", "mpirun --map-by", "OMP_NUM_THREADS=", "local rank 2"):
            self.assertIn(word, printed)

    def test_info_of_the_vectors(self):
        result = self.succeed_json("info")
        vectors = result["vectors"]
        self.assertEqual(vectors["bytes"], {"avx512": 64, "avx2": 32, "neon": 16, "scalar": 8}[vectors["target"]])
        if vectors["target"] != "scalar":
            self.assertIn(vectors["target"], vectors["compiled"])
        self.assertLessEqual(set(vectors["unused"]), set(vectors["machine"]) - set(vectors["compiled"]))
        self.assertEqual(result["peak_gflops"]["bfloat16_dot"] > 0, "avx512_bf16" in vectors["compiled"] and not result["build"]["cuda"])
        try:
            flags = set(Path("/proc/cpuinfo").read_text().split())
        except OSError:
            flags = set()
        self.assertEqual("avx2" in vectors["machine"], "avx2" in flags)
        self.assertEqual("amx_bf16" in vectors["machine"], "amx_bf16" in flags)
        printed = self.succeed("info")
        self.assertRegex(printed, rf"(?m)^vectors +{vectors['target']}")
        self.assertRegex(printed, r"(?m)^processor has +\w")
        self.assertEqual("left unused" in printed, bool(vectors["unused"]))

    def test_ranks_with_every_exchange(self):
        shape = ("--documents", "100,30,76", "--heads-q", "4", "--heads-kv", "2", "--dim", "16", "--repeat", "1")
        for exchange in ("zero_redundancy", "hierarchical", "all_gather", "ring", "qo"):
            with self.subTest(exchange):
                result = self.succeed_json("run", *shape, "--ranks", "4", "--nodes", "2", "--exchange", exchange, "--softcap", "30", "--dropout", "0.1", "--verify")
                self.assertTrue(result["verified"])
                self.assertEqual(len(result["ranks"]), 4)
                every_key = 206 * 2 * (16 + 16) * 4 * 3
                self.assertEqual((result["all_gather_bytes"], result["ring_bytes"]), (every_key, every_key))
                for passes in ("forward", "backward"):
                    calls = [rank["measured"][passes] for rank in result["ranks"]]
                    self.assertEqual(sum(call["bytes_sent"] for call in calls), sum(call["bytes_received"] for call in calls))
                moved = sum(rank["measured"]["forward"]["bytes_received"] for rank in result["ranks"])
                self.assertEqual(result["bytes_moved"], moved)
                self.assertAlmostEqual(result["moved_over_all_gather"], moved / every_key)
                if exchange in ("all_gather", "ring"):
                    self.assertEqual(moved, every_key)
                else:
                    self.assertLess(moved, every_key)
                    self.assertGreater(moved, 0)
                self.assertTrue(0 <= result["hidden_share"] <= 1)
                self.assertTrue(all(rank["measured"]["memory_bytes"] > 0 for rank in result["ranks"]))

    def test_more_ranks_than_rows(self):
        self.assertTrue(self.succeed_json("run", "--documents", "2,1", "--ranks", "5", "--verify", "--repeat", "1")["verified"])

    def test_reproducible(self):
        result = self.succeed_json("run", "--documents", "150,80", "--ranks", "3", "--reproducible", "--verify", "--repeat", "1")
        self.assertTrue(result["verified"])

    def test_a_plan_from_a_file(self):
        shape = ("--documents", "100,80", "--heads-q", "4", "--heads-kv", "2", "--dim", "16")
        self.succeed("plan", *shape, "--ranks", "3", "--json", "plan.json")
        result = self.succeed_json("run", *shape, "--plan", "plan.json", "--verify", "--repeat", "1")
        self.assertTrue(result["verified"])
        self.assertEqual(result["hash"], json.loads((self.folder / "plan.json").read_text())["hash"])
        self.refuse("--plan = plan.json: is for another mask: must be for the one that is run", "run", "--documents", "100,81", "--plan", "plan.json")
        self.refuse("--ranks = 2: must be those of --plan = plan.json, 3", "run", *shape, "--plan", "plan.json", "--ranks", "2")

    def test_table_and_picture_of_ranks(self):
        table = self.succeed("run", "--documents", "100,80", "--ranks", "2", "--verify", "--repeat", "1", "--picture", "ranks.svg")
        for words in ("bytes moved", "of an all-gather or a ring", "transfers hidden", "1 thread a rank", "rank 1", "waited", "max error", "picture: ranks.svg"):
            self.assertIn(words, table)
        root = xml.etree.ElementTree.parse(self.folder / "ranks.svg").getroot()
        self.assertTrue(root.tag.endswith("svg"))


@unittest.skipUnless(os.environ.get("CAESURA_MPIEXEC"), "this build has no MPI")
class RunOverMpi(ProgramTest):
    def mpirun(self, ranks, *arguments):
        return subprocess.run([*os.environ["CAESURA_MPIEXEC"].split(), "-n", str(ranks), PROGRAM, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=300)

    def test_every_exchange(self):
        for exchange in ("zero_redundancy", "hierarchical", "all_gather", "ring", "qo"):
            with self.subTest(exchange):
                done = self.mpirun(4, "run", "--documents", "100,30,76", "--heads-q", "4", "--heads-kv", "2", "--dim", "16", "--exchange", exchange,
                                   "--repeat", "1", "--verify", "--json", "run.json")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("max error", done.stdout)
                self.assertEqual(done.stdout.count("bytes moved"), 1)  # one rank speaks
                result = json.loads((self.folder / "run.json").read_text())
                self.assertTrue(result["verified"])
                self.assertEqual(len(result["ranks"]), 4)

    def test_ranks_must_be_the_launchers(self):
        done = self.mpirun(2, "run", "--documents", "100,80", "--ranks", "3")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("caesura run: --ranks = 3: must be the launcher's number of processes, 2\n", done.stderr)
        self.assertEqual(done.stderr.count("caesura run:"), 1)


if __name__ == "__main__":
    unittest.main()
