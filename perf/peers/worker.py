#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Times one peer, in its environment, as perf/run asks: a line of JSON in, a line of JSON out.

in:   {"case": {...}, "pass": "forward" or "backward", "scalar": ..., "threads": ..., "min_seconds": ...}
out:  {"seconds": mean time of a step} or {"error": why it cannot do that}"""

import argparse
import importlib
import json
import os
import sys
import time


def mean_seconds(run, least):
    """As Google Benchmark: the mean of as many steps as fill `least` seconds."""
    count = 0
    begin = now = time.perf_counter()
    while now - begin < least or count == 0:
        run()
        count += 1
        now = time.perf_counter()
    return (now - begin) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", help="pytorch, onnxruntime or openvino")
    peer = importlib.import_module(f"{parser.parse_args().peer}_peer")

    answers = os.fdopen(os.dup(1), "w")  # libraries that print must not be taken for answers
    os.dup2(2, 1)

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    answer({"version": peer.version()})
    key = run = None
    for line in sys.stdin:
        request = json.loads(line)
        asked = [request["case"]["name"], request["pass"], request["scalar"], request["threads"]]
        try:
            if asked != key:
                run = None  # its memory goes before more is taken
                run, key = peer.prepare(request["case"], request["pass"], request["scalar"], request["threads"]), asked
                run()
            answer({"seconds": mean_seconds(run, request["min_seconds"])})
        except Exception as error:  # whatever a peer throws is why it has no figure
            key = None
            answer({"error": (str(error) or type(error).__name__).splitlines()[0]})


if __name__ == "__main__":
    main()
