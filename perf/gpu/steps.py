# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Our side of a comparison: the program attention_steps, which runs what it is asked for."""

import json
import subprocess


class StepError(Exception):
    """What the program answered, or that it is gone."""


class Steps:
    def __init__(self, program):
        self.program = program
        self.process = None
        self.kernels = []
        self.space = None

    def start(self):
        self.process = subprocess.Popen(
            [str(self.program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        hello = self.answer()
        self.kernels, self.space = hello["kernels"], hello["space"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            said = self.process.stderr.read().strip().splitlines()
            process, self.process = self.process, None
            raise StepError(
                f"attention_steps ended with status {process.returncode}" + (f": {said[-1]}" if said else "")
            )
        answer = json.loads(line)
        if "error" in answer:
            raise StepError(answer["error"])
        return answer

    def ask(self, command):
        """The answer to a command; a program that broke is started again."""
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self.answer()

    def seconds(self, direction, count):
        return self.ask(f"{direction} {count}")["seconds"]

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None
