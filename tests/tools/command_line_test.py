#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Help, versions, and options that are wrong: one line that names argument, value and rule; exit status 2."""

import unittest

from program import ProgramTest


class CommandLine(ProgramTest):
    def test_help_has_an_example_everywhere(self):
        for arguments in ([], ["run"], ["plan"], ["attend"], ["bench"], ["info"]):
            with self.subTest(arguments):
                self.assertIn("\nExample: caesura ", self.succeed(*arguments, "--help"))

    def test_version(self):
        self.assertRegex(self.succeed("--version"), r"^\d+\.\d+\.\d+\n$")

    def test_a_subcommand_is_needed(self):
        self.refuse("subcommand: not given: must be run, plan, attend, bench or info (caesura --help)")
        self.refuse("subcommand = solve: must be run, plan, attend, bench or info (caesura --help)", "solve")

    def test_unknown_options(self):
        self.refuse("The following argument was not expected: --exchanges (caesura run --help)", "run", "--documents", "9", "--exchanges")
        self.refuse("The following arguments were not expected: 2 --ranks (caesura bench --help)", "bench", "--ranks", "2")

    def test_wrong_values(self):
        cases = {
            ("--ranks", "0"): "--ranks = 0: must be a whole number from 1 to 1048576",
            ("--ranks", "4", "--nodes", "3"): "--nodes = 3: must divide 4 ranks",
            ("--ranks", "4", "--exchange", "fast"): "--exchange = fast: must be zero_redundancy, hierarchical, all_gather, ring or qo",
            ("--ranks", "4", "--stages", "0"): "--stages = 0: must be auto or a whole number from 1 to 1000",
            ("--plan", "none.json"): "--plan = none.json: cannot be read: must be a JSON file",
            ("--dim", "0"): "--dim = 0: must be a whole number from 1 to 512",
            ("--dim-v", "513"): "--dim-v = 513: must be a whole number from 1 to 512",
            ("--dim", "64.5"): "--dim = 64.5: must be a whole number from 1 to 512",
            ("--heads-q", "-1"): "--heads-q = -1: must be a whole number from 1 to 1048576",
            ("--heads-kv", "3"): "--heads-q = 8: must be a multiple of --heads-kv = 3",
            ("--dtype", "int8"): "--dtype = int8: must be double, float, half or bfloat16",
            ("--mask", "diagonal"): "--mask = diagonal: must be full, causal, causal_top_left, inverse_causal or bi_causal",
            ("--window", "5"): "--window = 5: must be LEFT,RIGHT: two whole numbers from -1 (unbounded) to 2147483648",
            ("--window", "-2,0"): "--window = -2,0: must be LEFT,RIGHT: two whole numbers from -1 (unbounded) to 2147483648",
            ("--chunk", "0"): "--chunk = 0: must be a whole number from 1 to 2147483648",
            ("--prefix", "-1"): "--prefix = -1: must be a whole number from 0 to 2147483648",
            ("--scale", "nan"): "--scale = nan: must be a finite number",
            ("--scale", "inf"): "--scale = inf: must be a finite number",
            ("--softcap", "-1"): "--softcap = -1: must be a number, 0 (none) or more",
            ("--dropout", "1"): "--dropout = 1: must be a probability in [0, 1)",
            ("--dropout", "nan"): "--dropout = nan: must be a probability in [0, 1)",
            ("--seed", "x"): "--seed = x: must be a whole number, 0 or more",
            ("--repeat", "0"): "--repeat = 0: must be a whole number from 1 to 1000000",
            ("--tokens", "0"): "--tokens = 0: must be a whole number from 1 to 2147483647",
            ("--json", "no/such.json"): f"--json = no/such.json: the folder {self.folder.resolve()}/no must exist",
            ("--picture", "."): "--picture = .: must be a file, not a folder",
        }
        for options, text in cases.items():
            with self.subTest(options):
                self.refuse(text, "run", "--documents", "9", *options)

    def test_an_unknown_variant_lists_the_known_ones(self):
        done = self.run_program("run", "--documents", "9", "--variant", "warp")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^caesura run: attention_forward: variant = warp: .*portable\n$")

        done = self.run_program("run", "--documents", "90", "--ranks", "2", "--variant", "warp")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^caesura run: attention_forward: variant = warp: .*portable\n$")

    def test_bench_values(self):
        self.refuse('--heads = 8:3: entry "8:3" must be Q or Q:KV, with Q a multiple of KV, both 1 or more', "bench", "--heads", "8:3")
        self.refuse('--dims = 64,0: entry "0" must be a whole number from 1 to 512', "bench", "--dims", "64,0")


if __name__ == "__main__":
    unittest.main()
