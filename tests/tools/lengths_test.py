#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Length files: what they may hold, and what bad ones are told."""

import unittest

from program import ProgramTest

RULE = "must be a document length, a whole number from 0 to 2147483647"
SMALL = ["--heads-q", "1", "--dim", "4", "--forward-only"]


class Lengths(ProgramTest):
    def run_lengths(self, *arguments):
        result = self.succeed_json("run", *SMALL, *arguments)
        return result["documents"], result["tokens"], result["area"]

    def test_comments_blank_lines_and_windows_line_ends(self):
        self.file("lengths.txt", "# name: x\n\n  3 # three\r\n0\n\t2\n")
        self.assertEqual(self.run_lengths("lengths.txt"), (3, 5, 6 + 3))

    def test_tokens_cut_the_last_document(self):
        self.file("lengths.txt", "3\n4\n5\n")
        self.assertEqual(self.run_lengths("lengths.txt", "--tokens", "5"), (2, 5, 6 + 3))
        self.assertEqual(self.run_lengths("lengths.txt", "--tokens", "6", "--first-document", "1"), (2, 6, 10 + 3))

    def test_repeated_documents(self):
        self.assertEqual(self.run_lengths("--documents", "3x4,2"), (5, 14, 4 * 6 + 3))

    def test_bad_files(self):
        cases = {
            "": "lengths.txt: holds no document length: must have at least one",
            "# nothing\n\n": "lengths.txt: holds no document length: must have at least one",
            "10\n\nten # x\n": f'lengths.txt: line 3 = "ten": {RULE}',
            "10 20\n": f'lengths.txt: line 1 = "10 20": {RULE}',
            "1.5\n": f'lengths.txt: line 1 = "1.5": {RULE}',
            "7\n-3\n": f'lengths.txt: line 2 = "-3": {RULE}',
            "2147483648\n": f'lengths.txt: line 1 = "2147483648": {RULE}',
            "99999999999999999999\n": f'lengths.txt: line 1 = "99999999999999999999": {RULE}',
            "\x00\x01" + "a" * 50: f'lengths.txt: line 1 = "??{"a" * 38}...": {RULE}',
            "0\n0\n": "lengths.txt: 0 tokens in 2 documents: must have at least one token",
            "2147483647\n1\n": "lengths.txt: more than 2147483647 tokens from document 0 on: must be fewer (--tokens N takes the first N)",
        }
        for content, text in cases.items():
            with self.subTest(content):
                self.file("lengths.txt", content)
                self.refuse(text, "run", "lengths.txt")

    def test_missing_files_and_folders(self):
        self.refuse("none.txt: cannot be read: must be a file of document lengths", "run", "none.txt")
        self.refuse(".: must be a file, not a folder", "run", ".")

    def test_nothing_given_or_twice(self):
        self.file("lengths.txt", "9\n")
        self.refuse("LENGTHS: not given: must be a file of document lengths (or use --documents LIST)", "run")
        self.refuse('--documents = "9": must not stand beside a file, lengths.txt', "run", "lengths.txt", "--documents", "9")

    def test_lists_and_ranges(self):
        self.refuse('--documents = "9,x": entry "x" must be a length, a whole number from 0 to 2147483647, or LENGTHxCOUNT with a count up to 16777216',
                  "run", "--documents", "9,x")
        self.refuse("--tokens = 10: must be at most 9, what --documents has from document 0 on", "run", "--documents", "9", "--tokens", "10")
        self.refuse("--first-document = 1: must be below 1, the number of documents in --documents", "run", "--documents", "9", "--first-document", "1")

    def test_more_than_there_is_memory_for(self):
        done = self.run_program("run", "--documents", "2147483647", "--heads-q", "64", "--dim", "512")
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stderr, r"^caesura run: tensors of 2147483647 tokens: \d+ bytes \(.*\) asked, \d+ bytes \(.*\) there: must fit .*\n$")


if __name__ == "__main__":
    unittest.main()
