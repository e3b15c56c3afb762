# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""A peer as perf/run sees it: a process that waits for cases to time."""

import json
import os
import pathlib
import subprocess


class Peer:
    def __init__(self, python, name, environment):
        worker = pathlib.Path(__file__).with_name("worker.py")
        self.process = subprocess.Popen([str(python), str(worker), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=os.environ | environment)
        self.version = self.answer().get("version")  # none: it did not start

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the peer's process ended"}

    def seconds(self, case, direction, scalar, threads, min_seconds):
        """(seconds of a step, None) or (None, why not)."""
        request = {"case": case, "pass": direction, "scalar": scalar, "threads": threads, "min_seconds": min_seconds}
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None, "the peer's process ended"
        answer = self.answer()
        return answer.get("seconds"), answer.get("error")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
