#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Our kernels and PyTorch's in turns on one GPU, in bfloat16: medians and their ratios as JSON.

A round of a case is a run of ours, then one of each peer, each long enough to be timed by events, after a warm-up; the
order rotates from round to round. What is quoted is the median over the rounds, of times and of ratios, so a drift of
the clocks meets all of them alike. Each result is written as soon as it is there. A peer that cannot do a case is
listed with what it said.
"""

import argparse
import json
import math
import pathlib
import sys
import time

from cases import cases
from steps import StepError, Steps

LEAST_SECONDS = 0.03  # of a timed run
CHECK_SECONDS = 30.0  # for comparisons with the portable kernel, all together
CHECK_FLOPS = 4e11  # of a forward: without tensor cores the largest cases would take most of the time


class Benchmark:
    def __init__(self, arguments, clock=time.monotonic):
        self.arguments = arguments
        self.clock = clock
        self.deadline = clock() + arguments.limit
        self.checked = 0.0
        self.steps = Steps(arguments.program)
        self.torch_peers = None
        self.report = {"cases": [], "left_out": [], "torch": None, "device": None, "kernels": []}

    def write(self):
        self.arguments.output.write_text(json.dumps(self.report, indent=1) + "\n")

    def find_torch(self):
        if self.arguments.without_peers:
            return
        try:
            import torch
            import torch_peers
        except Exception as error:  # a PyTorch that does not load is one more thing to report
            self.report["torch_error"] = f"{type(error).__name__}: {error}"
            return
        self.torch_peers = torch_peers
        self.report["torch"], self.report["device"] = torch.__version__, torch_peers.device_name()

    def run(self):
        self.find_torch()
        try:
            self.steps.start()
            self.report |= {"kernels": self.steps.kernels, "space": self.steps.space}
        except StepError as error:
            self.report["error"] = str(error)
        self.write()
        for case in cases():
            if self.arguments.filter and not any(word in case.name for word in self.arguments.filter.split(",")):
                continue
            if self.clock() > self.deadline:
                self.report["left_out"].append(case.name)
                continue
            self.run_case(case)
            self.write()
        self.steps.close()
        self.write()

    def run_case(self, case):
        result = {
            "name": case.name,
            "documents": len(case.lengths),
            "tokens": case.tokens,
            "heads_q": case.heads_q,
            "heads_kv": case.heads_kv,
            "dim": case.dim,
            "area": case.area,
            "passes": {},
        }
        self.report["cases"].append(result)
        ours = self.prepare_ours(case, result)
        if self.torch_peers and not self.arguments.without_peaks:
            try:  # made anew: a gigabyte less for the peers
                product, copy = self.torch_peers.Peaks().measure()
                result["peaks"] = {"matmul_tflops": product, "copy_tbs": copy}
            except Exception as error:
                result["peaks"] = {"error": first_line(error)}
            self.torch_peers.release()
        for direction in ("forward", "backward"):
            if self.clock() > self.deadline:
                self.report["left_out"].append(f"{case.name} {direction}")
                continue
            result["passes"][direction] = self.run_pass(case, direction, ours)
            self.write()

    def prepare_ours(self, case, result):
        """None if ours can run it, else why not."""
        try:
            made = self.steps.ask(case.command(self.arguments.kernel))
            result["kernels"] = {"forward": made["kernel_forward"], "backward": made["kernel_backward"]}
            if made["area"] != case.area:
                raise StepError(f"has {made['area']} visible pairs, expected {case.area}")
            if self.checked < CHECK_SECONDS and case.flops("forward") < CHECK_FLOPS:
                begin = self.clock()
                result["differences"] = self.steps.ask("compare")["differences"]
                self.checked += self.clock() - begin
            return None
        except StepError as error:
            return str(error)

    def run_pass(self, case, direction, ours):
        """{"flops", "ours": {"seconds" or "error"}, "peers": {name: the same}}"""
        result = {"flops": case.flops(direction), "ours": {}, "peers": {}}
        contestants = {}
        if ours is None:
            contestants["ours"] = lambda count: self.steps.seconds(direction, count)
            if direction == "backward":  # five products for seven, but other last bits on every run
                result["peers"]["ours, any order"] = {}
                contestants["ours, any order"] = lambda count: self.steps.seconds("backward_any", count)
        else:
            result["ours"]["error"] = ours
        for name, make in (self.torch_peers.peers(case) if self.torch_peers else {}).items():
            result["peers"][name] = {}
            try:
                run = make(direction)
                contestants[name] = lambda count, run=run: self.torch_peers.mean_seconds(run, count)
            except Exception as error:
                result["peers"][name]["error"] = first_line(error)

        def entry(name):
            return result["ours"] if name == "ours" else result["peers"][name]

        counts = {}
        for name, seconds in list(contestants.items()):
            try:
                seconds(2)  # warm-up: compilation, algorithms being chosen
                counts[name] = max(1, min(200, math.ceil(LEAST_SECONDS / seconds(1))))
                entry(name)["seconds"] = []
            except Exception as error:
                entry(name)["error"] = first_line(error)
                del contestants[name]
        for number in range(self.arguments.rounds):
            order = list(contestants)
            shift = number % len(order) if order else 0
            for name in order[shift:] + order[:shift]:
                try:
                    contestants[name](1)  # the other process had the GPU
                    entry(name)["seconds"].append(contestants[name](counts[name]))
                except Exception as error:
                    entry(name)["error"] = first_line(error)
                    del contestants[name]
        contestants.clear()
        if self.torch_peers:
            self.torch_peers.release()
        return result


def first_line(error):
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:400]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True, help="attention_steps of a CUDA build")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="where the JSON goes")
    parser.add_argument("--limit", type=float, default=120, help="seconds after which no case is begun (120)")
    parser.add_argument("--rounds", type=int, default=7, help="of each case (7)")
    parser.add_argument("--filter", default="", help="only cases whose names hold one of these, separated by commas")
    parser.add_argument("--kernel", default="-", help="our kernel (the one that callers get)")
    parser.add_argument("--without-peers", action="store_true", help="only our own")
    parser.add_argument("--without-peaks", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    Benchmark(arguments).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
