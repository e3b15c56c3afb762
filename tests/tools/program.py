# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the program share: running it, and .npy files without numpy."""

import ast
import json
import math
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ["CAESURA_PROGRAM"]
FORMATS = {"<f8": "d", "<f4": "f", "<f2": "e", "<i4": "i", ">f4": "f"}


def write_npy(path, shape, values, descr="<f4", fortran_order=False, version=1, keep_bytes=None):
    header = f"{{'descr': '{descr}', 'fortran_order': {fortran_order}, 'shape': {tuple(shape)}, }}".encode()
    head = b"\x93NUMPY" + bytes([version, 0])
    size = 2 if version == 1 else 4
    header += b" " * (-(len(head) + size + len(header) + 1) % 64) + b"\n"
    order = ">" if descr[0] == ">" else "<"
    data = struct.pack(f"{order}{len(values)}{FORMATS[descr]}", *values)
    Path(path).write_bytes(head + len(header).to_bytes(size, "little") + header + data[:keep_bytes])


def read_npy(path):
    """(dtype, shape, flat values)"""
    data = Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    begin = 10 + int.from_bytes(data[8:10], "little")
    assert begin % 64 == 0 and data[begin - 1:begin] == b"\n"
    header = ast.literal_eval(data[10:begin].decode())
    assert header["fortran_order"] is False
    count = math.prod(header["shape"])
    return header["descr"], header["shape"], struct.unpack(f"<{count}{FORMATS[header['descr']]}", data[begin:])


class ProgramTest(unittest.TestCase):
    """Every test runs in a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, name, content):
        (self.folder / name).write_text(content)
        return name

    def run_program(self, *arguments):
        return subprocess.run([PROGRAM, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, timeout=600)

    def succeed(self, *arguments):
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}\n{done.stdout}\n{done.stderr}")
        self.assertEqual(done.stderr, "", arguments)  # progress is for terminals
        return done.stdout

    def succeed_json(self, *arguments):
        return json.loads(self.succeed(*arguments, "--json", "-"))

    def refuse(self, text, *arguments, status=2):
        """One line on stderr, exactly this one; nothing on stdout."""
        done = self.run_program(*arguments)
        self.assertEqual(done.stderr, f"caesura{' ' + arguments[0] if arguments and arguments[0] in ('run', 'plan', 'attend', 'bench', 'info') else ''}: {text}\n", arguments)
        self.assertEqual(done.returncode, status, arguments)
        self.assertEqual(done.stdout, "", arguments)
