#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""`plan`: who computes what, on paper; plan files; and `info --calibrate`, whose file it reads."""

import json
import unittest
import xml.etree.ElementTree

from program import ProgramTest

PACK = ["--documents", "400,300,9x40,700"]
TOKENS = 400 + 300 + 9 * 40 + 700
AREA = sum(n * (n + 1) // 2 for n in [400, 300, *[9] * 40, 700])
DISPATCHES = ["contiguous", "head_tail", "lpt", "topp", "balanced"]


class Plan(ProgramTest):
    def svg_words(self, name):
        root = xml.etree.ElementTree.parse(self.folder / name).getroot()
        self.assertTrue(root.tag.endswith("svg"))
        return " ".join("".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text"))

    def test_table(self):
        table = self.succeed("plan", *PACK, "--ranks", "4", "--nodes", "2")
        for words in ("--documents, 43 documents", "1,760", f"{AREA:,}", "4 ranks in 2 nodes", "balanced, zero_redundancy", "rows received, mean",
                      "predicted step", "simulated", "at least", "solved in"):
            self.assertIn(words, table)
        self.assertEqual([line.split()[0] for line in table.splitlines() if line[:4].strip().isdigit()], ["0", "1", "2", "3"])

    def test_many_ranks_show_the_slowest(self):
        table = self.succeed("plan", *PACK, "--ranks", "32")
        self.assertIn("(the 8 of 32 ranks that end last)", table)

    def test_json(self):
        plan = self.succeed_json("plan", *PACK, "--ranks", "4", "--nodes", "2", "--heads-q", "8", "--heads-kv", "2", "--dim", "64", "--dtype", "float")
        self.assertEqual(plan["version"], 1)
        self.assertEqual([rank["rank"] for rank in plan["ranks"]], [0, 1, 2, 3])
        self.assertEqual(sum(rank["tokens"] for rank in plan["ranks"]), TOKENS)
        self.assertEqual(sum(rank["area"] for rank in plan["ranks"]), AREA)
        self.assertEqual({rank["tokens"] for rank in plan["ranks"]}, {TOKENS // 4})
        self.assertEqual(sum(rank["receive_rows"] for rank in plan["ranks"]), sum(rank["send_rows"] for rank in plan["ranks"]))
        for key in ("tile_cost", "receive_rows_across", "memory_bytes", "chunks"):
            self.assertTrue(all(key in rank for rank in plan["ranks"]), key)
        self.assertAlmostEqual(plan["max_over_mean_area"], max(rank["area"] for rank in plan["ranks"]) * 4 / AREA)
        self.assertAlmostEqual(plan["mean_receive_rows"], sum(rank["receive_rows"] for rank in plan["ranks"]) / 4)
        self.assertEqual(plan["max_send_rows"], max(rank["send_rows"] for rank in plan["ranks"]))
        self.assertEqual(plan["all_gather_rows"], TOKENS * 3 / 4)
        self.assertEqual(plan["options"]["layer"], {"heads_q": 8, "heads_kv": 2, "dim_qk": 64, "dim_v": 64, "scalar_bytes": 4})
        self.assertEqual((plan["cluster"]["ranks"], plan["cluster"]["ranks_per_node"]), (4, 2))
        self.assertEqual(len(plan["mask"]["slices"]), 43)
        self.assertGreater(plan["solve_ms"], 0)
        self.assertGreaterEqual(plan["simulated_ms"], plan["lower_bounds"]["step_ms"] * 0.999)
        self.assertGreaterEqual(plan["predicted_step_ms"], plan["lower_bounds"]["step_ms"] * 0.999)
        self.assertGreaterEqual(plan["mean_receive_rows"], 0)

    def test_the_same_twice(self):
        first = self.succeed_json("plan", *PACK, "--ranks", "5")
        self.assertEqual(self.succeed_json("plan", *PACK, "--ranks", "5")["hash"], first["hash"])
        self.assertNotEqual(self.succeed_json("plan", *PACK, "--ranks", "6")["hash"], first["hash"])

    def test_every_dispatch_and_exchange(self):
        for dispatch in DISPATCHES:
            for exchange in ("zero_redundancy", "hierarchical", "all_gather", "ring", "qo"):
                with self.subTest(f"{dispatch} {exchange}"):
                    plan = self.succeed_json("plan", *PACK, "--ranks", "4", "--nodes", "2", "--dispatch", dispatch, "--exchange", exchange)
                    self.assertEqual((plan["options"]["dispatch"], plan["options"]["exchange"]), (dispatch, exchange))

    def test_compare(self):
        table = self.succeed("plan", *PACK, "--ranks", "4", "--compare")
        rows = [line.split() for line in table.splitlines()]
        self.assertEqual([row[0] for row in rows if row and row[0] in DISPATCHES], DISPATCHES)
        plans = self.succeed_json("plan", *PACK, "--ranks", "4", "--compare")
        self.assertEqual([plan["dispatch"] for plan in plans["plans"]], DISPATCHES)
        for plan in plans["plans"]:
            self.assertGreaterEqual(plan["predicted_step_ms"], plans["lower_bounds"]["step_ms"] * 0.999, plan["dispatch"])
            self.assertGreater(plan["solve_ms"], 0)

    def test_timeline(self):
        table = self.succeed("plan", *PACK, "--ranks", "4", "--dispatch", "lpt", "--timeline")
        lines = table[table.index("time line, "):].splitlines()[1:]
        self.assertEqual(len(lines), 8)
        self.assertTrue(all(line.endswith("|") and len(line) == len(lines[0]) for line in lines))
        self.assertIn("0", lines[1])

    def test_pictures(self):
        self.assertIn("picture: plan.svg", self.succeed("plan", *PACK, "--ranks", "8", "--picture", "plan.svg"))
        words = self.svg_words("plan.svg")
        for expected in ("documents from the command line on 8 ranks: balanced dispatch", "Who computes what", "computes (pairs)", "rank 7", "waits for rows"):
            self.assertIn(expected, words)
        self.succeed("plan", "--documents", "5x20000", "--ranks", "300", "--picture", "large.svg")
        self.assertIn("the 64 ranks that end last", self.svg_words("large.svg"))
        self.assertLess((self.folder / "large.svg").stat().st_size, 1_000_000)
        self.succeed("plan", *PACK, "--ranks", "4", "--exchange", "qo", "--picture", "qo.svg")
        self.svg_words("qo.svg")
        self.succeed("plan", "--documents", "1", "--ranks", "3", "--picture", "tiny.svg")
        self.svg_words("tiny.svg")

    def test_masks_of_any_kind(self):
        self.file("mask.json", json.dumps({"total_q": 300, "total_k": 100, "slices": [{"q": [0, 200], "k": [20, 100], "type": "full"}, {"q": [200, 300], "k": [0, 100], "type": "causal"}]}))
        plan = self.succeed_json("plan", "--mask-file", "mask.json", "--ranks", "3", "--picture", "mask.svg")
        self.assertEqual(set(plan["placement"]), {"queries", "keys"})
        self.assertEqual(self.succeed_json("plan", *PACK, "--window", "20,0", "--ranks", "3")["mask"]["slices"][0], [0, 400, 0, 400, -20, 0])

    def test_plan_files(self):
        solved = self.succeed_json("plan", *PACK, "--ranks", "4")
        self.succeed("plan", *PACK, "--ranks", "4", "--json", "plan.json")
        loaded = self.succeed_json("plan", "--plan", "plan.json", "--picture", "plan.svg")
        self.assertEqual(loaded["hash"], solved["hash"])
        self.assertEqual(loaded["ranks"], solved["ranks"])
        self.assertNotIn("solve_ms", loaded)
        self.assertIn(solved["hash"], self.succeed("plan", "--plan", "plan.json"))
        self.refuse("--plan: must not stand beside --ranks: the file says all of the plan", "plan", "--plan", "plan.json", "--ranks", "4")
        self.refuse("--plan = none.json: cannot be read: must be a JSON file", "plan", "--plan", "none.json")

    def test_plan_files_that_are_wrong(self):
        plan = self.succeed_json("plan", *PACK, "--ranks", "4")
        self.file("plan.json", json.dumps({**plan, "version": 7}))
        self.refuse("plan.json: version = 7: must be 1, the version that this library reads", "plan", "--plan", "plan.json")
        self.file("plan.json", json.dumps({**plan, "hash": "0123456789abcdef"}))
        self.refuse(f'plan.json: hash = "0123456789abcdef": must be that of the plan in the file, {plan["hash"]}', "plan", "--plan", "plan.json")
        self.file("plan.json", json.dumps({key: value for key, value in plan.items() if key not in ("mask", "ranks", "placement")}))
        done = self.run_program("plan", "--plan", "plan.json")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r'^caesura plan: plan\.json: .*: must have "mask"\n$')

    def test_cluster_files(self):
        self.file("cluster.json", json.dumps({"ranks": 4, "ranks_per_node": 2, "across_nodes": {"bytes_per_second": 1e9, "latency_seconds": 1e-5}, "compute": {"tile": [1, 1]}}))
        plan = self.succeed_json("plan", *PACK, "--cluster", "cluster.json")
        self.assertEqual((plan["cluster"]["ranks"], plan["cluster"]["across_nodes"]["bytes_per_second"]), (4, 1e9))
        self.assertEqual([rank["tile_cost"] for rank in plan["ranks"]], [rank["area"] for rank in plan["ranks"]])
        plan = self.succeed_json("plan", *PACK, "--cluster", "cluster.json", "--ranks", "6", "--nodes", "2")
        self.assertEqual((plan["cluster"]["ranks"], plan["cluster"]["ranks_per_node"]), (6, 3))
        self.refuse("--ranks = 5: must be a multiple of ranks_per_node = 2 in cluster.json (or use --nodes)", "plan", *PACK, "--cluster", "cluster.json", "--ranks", "5")
        self.file("cluster.json", '{"ranks": 0}')
        self.refuse("cluster.json: ranks = 0: must be a whole number from 1 to 2147483647", "plan", *PACK, "--cluster", "cluster.json")

    def test_calibration(self):
        table = self.succeed("info", "--calibrate", "cluster.json", "--heads-q", "1", "--dim", "16")
        for words in ("forward", "GFLOP/s", "a row costs", "by these rates"):
            self.assertIn(words, table)
        cluster = json.loads((self.folder / "cluster.json").read_text())
        self.assertGreater(cluster["compute"]["forward_flops"], 1e6)
        self.assertGreater(cluster["within_node"]["bytes_per_second"], 1e6)
        plan = self.succeed_json("plan", *PACK, "--cluster", "cluster.json", "--ranks", "2")
        self.assertEqual(plan["cluster"]["compute"], cluster["compute"])

    def test_wrong_input(self):
        names = "must be contiguous, head_tail, lpt, topp, balanced or exact"
        cases = {
            (): "--ranks: not given: must be the number of ranks (or use --cluster FILE)",
            ("--ranks", "0"): "--ranks = 0: must be a whole number from 1 to 1048576",
            ("--ranks", "8", "--nodes", "3"): "--nodes = 3: must divide 8 ranks",
            ("--ranks", "8", "--dispatch", "best"): f"--dispatch = best: {names}",
            ("--ranks", "8", "--exchange", "mail"): "--exchange = mail: must be zero_redundancy, hierarchical, all_gather, ring or qo",
            ("--ranks", "8", "--stages", "0"): "--stages = 0: must be auto or a whole number from 1 to 1000",
            ("--ranks", "8", "--token-slack", "1.5"): "--token-slack = 1.5: must be a number from 0 to 1",
            ("--ranks", "8", "--tolerance", "-1"): "--tolerance = -1: must be a number from 0 to 1",
            ("--ranks", "8", "--dispatch-chunk", "0"): "--dispatch-chunk = 0: must be a whole number from 1 to 2147483648",
            ("--ranks", "8", "--heads-q", "9"): "--heads-q = 9: must be a multiple of --heads-kv = 8",
            ("--ranks", "8", "--cluster", "none.json"): "--cluster = none.json: cannot be read: must be a JSON file",
        }
        for options, text in cases.items():
            with self.subTest(options):
                self.refuse(text, "plan", *PACK, *options)

    def test_a_mask_without_pairs(self):
        self.file("mask.json", json.dumps({"total_q": 8, "slices": []}))
        done = self.run_program("plan", "--mask-file", "mask.json", "--ranks", "2")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^caesura plan: .*: .*pair.*\n$")


if __name__ == "__main__":
    unittest.main()
