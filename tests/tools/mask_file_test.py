#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""mask.json: both forms, and the file, path, value and rule in every complaint."""

import json
import unittest

from program import ProgramTest

SMALL = ["--heads-q", "2", "--dim", "8"]
WHOLE = "must be a whole number from 0 to 2147483647"


def slice_of(**change):
    return {"total_q": 10, "slices": [{"q": [0, 5], "k": [0, 5], "type": "full"}, {"q": [5, 10], "k": [0, 10], "type": "causal", **change}]}


class MaskFile(ProgramTest):
    def area(self, mask):
        self.file("mask.json", json.dumps(mask))
        result = self.succeed_json("run", "--mask-file", "mask.json", *SMALL, "--verify")
        self.assertTrue(result["verified"])
        return result["area"]

    def test_documents(self):
        self.assertEqual(self.area({"documents": [4, 3]}), 10 + 6)
        self.assertEqual(self.area({"documents": [4, 3], "mask": "full"}), 16 + 9)
        self.assertEqual(self.area({"documents": [4, 0, 2], "documents_k": [6, 3, 1], "mask": "full"}), 24 + 2)
        self.assertEqual(self.area({"documents": [6], "mask": "full", "window": [1, 0]}), 11)
        self.assertEqual(self.area({"documents": [6], "mask": "causal", "chunk": 3}), 12)
        self.assertEqual(self.area({"documents": [6], "window": [0, 0], "prefix": 1}), 6 + 5)

    def test_slices(self):
        both = {"total_q": 8, "total_k": 12, "slices": [{"q": [0, 4], "k": [0, 4], "type": "bi_causal"}, {"q": [4, 8], "k": [2, 12], "diagonal": [None, 0]}]}
        self.assertEqual(self.area(both), 4 + (3 + 4 + 5 + 6))
        self.assertEqual(self.area({"total_q": 3, "slices": [{"q": [0, 3], "k": [0, 3], "diagonal": [-1, None]}]}), 3 + 3 + 2)

    def test_bad_files(self):
        unknown = 'must be documents, documents_k, mask, window, chunk, prefix, total_q, total_k or slices'
        cases = [
            ("[1]", "[1]: must be an object"),
            ("{}", '{}: must have "documents", or "total_q" and "slices"'),
            ({"documents": [4], "masks": "causal"}, f'masks = "causal": unknown key, {unknown}'),
            ({"documents": 4}, "documents = 4: must be an array"),
            ({"documents": []}, "documents = []: must have at least one length"),
            ({"documents": [4, -1]}, f"documents[1] = -1: {WHOLE}"),
            ({"documents": [4, 2.0]}, f"documents[1] = 2.0: {WHOLE}"),
            ({"documents": [4, "5"]}, f'documents[1] = "5": {WHOLE}'),
            ({"documents": [2**31 - 1, 1]}, "documents[1] = 1: must leave the sum of the lengths at or below 2147483647"),
            ({"documents": [4], "documents_k": [4, 4]}, "documents_k = [4,4]: must have 1 lengths, as documents has"),
            ({"documents": [4], "mask": "casual"}, 'mask = "casual": must be full, causal, causal_top_left, inverse_causal or bi_causal'),
            ({"documents": [4], "mask": 1}, "mask = 1: must be a string"),
            ({"documents": [4], "window": [1]}, "window = [1]: must be [left, right]"),
            ({"documents": [4], "window": [-2, 0]}, "window[0] = -2: must be a whole number from -1 to 2147483648"),
            ({"documents": [4], "chunk": 0}, "chunk = 0: must be a whole number from 1 to 2147483648"),
            ({"documents": [4], "prefix": True}, "prefix = true: must be a whole number from 0 to 2147483648"),
            ({"documents": [4], "total_q": 4}, "documents = [4]: must not stand beside the keys of a mask by slices (total_q, total_k, slices)"),
            ({"total_q": 4, "slices": [], "chunk": 2}, "chunk = 2: unknown key, must be total_q, total_k or slices"),
            ({"total_q": 4}, '{"total_q":4}: must have "slices" beside the other keys of a mask by slices'),
            (slice_of(q=[5, 11]), "slices[1].q = [5,11]: must end at or before total_q = 10"),
            (slice_of(k=[3, 2]), "slices[1].k = [3,2]: must begin at or before its end"),
            (slice_of(k=[0]), "slices[1].k = [0]: must be [begin, end]"),
            (slice_of(q=[-5, 10]), f"slices[1].q[0] = -5: {WHOLE}"),
            (slice_of(type="band"), 'slices[1].type = "band": must be full, causal, causal_top_left, inverse_causal or bi_causal'),
            (slice_of(color=1), "slices[1].color = 1: unknown key, must be q, k, type or diagonal"),
            (slice_of(diagonal=[0, 1]), 'slices[1] = {"diagonal":[0,1],"k":[0,10],"q":[5,10],"type":"causal"}: must have either "type" or "diagonal"'),
            ({"total_q": 4, "slices": [{"q": [0, 4], "type": "full"}]}, 'slices[0] = {"q":[0,4],"type":"full"}: must have "k"'),
            ({"total_q": 4, "slices": [{"q": [0, 4], "k": [0, 4], "diagonal": [2, 1]}]}, "slices[0].diagonal = [2,1]: must have lo at or below hi"),
            ('{"documents": [4], "documents": [5]}', 'key "documents" stands twice in one object: must stand once'),
        ]
        for mask, text in cases:
            with self.subTest(text):
                self.file("mask.json", mask if isinstance(mask, str) else json.dumps(mask))
                self.refuse(f"mask.json: {text}", "run", "--mask-file", "mask.json")

    def test_text_that_is_no_json(self):
        self.file("mask.json", '{"documents": [4,]}')
        done = self.run_program("run", "--mask-file", "mask.json")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^caesura run: mask.json: parse error at line 1, column 18: .*\n$")

    def test_overlapping_slices_name_both_and_a_pair(self):
        self.file("mask.json", json.dumps(slice_of(q=[4, 10])))
        done = self.run_program("run", "--mask-file", "mask.json")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^caesura run: mask.json: Mask::from_slices: .*0.*1.*\n$")

    def test_missing_and_mixed_with_options(self):
        self.refuse("none.json: cannot be read: must be a JSON file", "run", "--mask-file", "none.json")
        self.file("mask.json", '{"documents": [4]}')
        for options, name in ((["--documents", "4"], "--documents"), (["--window", "1,0"], "--window"), (["--mask", "full"], "--mask"), (["--tokens", "2"], "--tokens")):
            self.refuse(f"--mask-file = mask.json: must not stand beside {name}: the file says all of the mask", "run", "--mask-file", "mask.json", *options)


if __name__ == "__main__":
    unittest.main()
