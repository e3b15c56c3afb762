# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""`perf/run host`: the host kernels and their peers in turns, round by round; medians, ratios and the machine's peaks.

A round of a case is a short run of our benchmark, in a process of its own that measures the peak after each call, as long
as the call took, and then one of each peer. What is quoted is the median over the rounds: of the share of that peak, and
of the ratio to the peer's run right after it. So a drift of the machine's speed hardly matters."""

import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

from host_report import best_variant, print_report, speedups
from host_rows import ROWS, SCALING, pack_rows
from peers.environment import prepare
from peers.peer import Peer

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
PEAKS = ("float", "double", "dot", "tile")
# The others are there to be compared with; a few rounds do.
ROUNDS_OF_OTHER_VARIANTS = 3


def build(folder):
    """Configures if need be and builds the benchmark; quiet unless that fails."""
    folder = folder.resolve()
    jobs = str(len(os.sched_getaffinity(0)))
    commands = [["cmake", "--build", str(folder), "--target", "attention_bench", "--parallel", jobs]]
    if not (folder / "CMakeCache.txt").exists():
        commands.insert(0, ["cmake", "--preset", "host", "-B", str(folder)])
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit("\n".join(done.stdout.splitlines()[-25:]) + f"\nperf/run: '{' '.join(command)}' failed")
    return folder / "perf" / "attention_bench"


def environment(threads):
    return {"OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "spread", "OMP_PLACES": "threads"}


def rounded(value):
    return float(f"{value:.5g}")


class Ours:
    """Our benchmark, one process a round."""

    def __init__(self, program, data, least):
        self.program = program
        self.least = least
        self.environment = {"CAESURA_BENCH_DATA": str(data)} if data else {}
        listed = subprocess.run([str(program), "--list"], check=True, capture_output=True, text=True,
                                env=os.environ | self.environment)
        report = json.loads(listed.stdout)
        self.variants = report["variants"]  # best first
        self.cases = report["cases"]

    def round(self, row, variants, threads):
        """({variant: {"seconds", "gflops", "of_peak", "of_undisturbed_peak"} or {"error"}}, {peak: GFLOP/s})."""
        with tempfile.TemporaryDirectory() as folder:
            output = pathlib.Path(folder) / "round.json"
            command = [str(self.program), f"--benchmark_filter=^{row.name}/({'|'.join(variants)})/",
                       f"--benchmark_min_time={self.least}", f"--benchmark_out={output}", "--benchmark_out_format=json"]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  env=os.environ | environment(threads) | self.environment)
            if done.returncode:
                sys.exit(f"{done.stderr.strip()}\nperf/run: '{' '.join(command)}' ended with status {done.returncode}")
            report = json.loads(output.read_text())
        results = {}
        for run in sorted(report["benchmarks"], key=lambda run: self.variants.index(run["name"].split("/")[3])):
            variant = run["name"].split("/")[3]
            if run.get("error_occurred"):
                results[variant] = {"error": run["error_message"]}
            else:
                results[variant] = {"seconds": rounded(run["real_time"] * UNITS[run["time_unit"]]),
                                    "gflops": rounded(run["flops"] * 1e-9), "of_peak": rounded(run["of_peak"]),
                                    "of_undisturbed_peak": rounded(run["of_undisturbed_peak"])}
        return results, {peak: float(report["context"][f"peak_{peak}_gflops"]) for peak in PEAKS}


def empty_result(row, case, threads):
    gflop = 4e-9 * case["area"] * case["dim"] * case["heads_q"] * (2.5 if row.direction == "backward" else 1)
    return {"name": row.name, "threads": threads, "gflop": gflop,
            "must": {"of_peak": row.must, "ratio": row.must_ratio}, "aim": {"of_peak": row.aim, "ratio": row.aim_ratio},
            "peaks": {peak: [] for peak in PEAKS}, "ours": {}, "peers": {}}


def add_round(result, row, case, ours, variants, peers, least):
    """Each of our variants, then each peer, once; appended to the result."""
    results, peaks = ours.round(row, variants, result["threads"])
    for peak, gflops in peaks.items():
        result["peaks"][peak].append(gflops)
    for variant, figures in results.items():
        result["ours"].setdefault(variant, []).append(figures)
    for name, peer in peers.items():
        if name.endswith("_no_amx") and row.scalar != "bfloat16":
            continue
        seconds, error = peer.seconds(case, row.direction, row.scalar, result["threads"], least)
        result["peers"].setdefault(name, []).append(
            {"error": error} if error else
            {"seconds": rounded(seconds), "gflops": rounded(result["gflop"] / seconds)})


def measure(rows, cases, ours, peers, threads, arguments, progress):
    """Rounds of all rows, one after the other: a minute in which others take the machine meets a round of each row, which
    medians leave out, and not all rounds of one."""
    results = [empty_result(row, cases[row.case], threads) for row in rows]
    for number in range(arguments.repetitions):
        for row, result in zip(rows, results):
            progress(f"round {number + 1}: {row.name}")
            variants = ours.variants if number < ROUNDS_OF_OTHER_VARIANTS else [best_variant(result)]
            add_round(result, row, cases[row.case], ours, variants, peers, arguments.least)
    return results


def scaling(row, case, ours, peers, threads, arguments):
    """A round of one thread, a round of all, and so on."""
    one, all_ = (empty_result(row, case, count) for count in (1, threads))
    for number in range(arguments.repetitions):
        for result in (one, all_):
            variants = ours.variants if number == 0 else [best_variant(result)]
            add_round(result, row, case, ours, variants, peers, arguments.least)
    return {"name": row.name, "threads": threads, "must": row.must_ratio, "aim": row.aim_ratio,
            "speedup": speedups(one, all_, peers), "runs": [one, all_]}


def processor():
    """(its name, whether it has bfloat16 tiles)."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return "unknown", False
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return (found[1] if found else "unknown"), "amx_bf16" in text


def start_peers(arguments, threads, has_tiles):
    names = [] if arguments.without_peers else ["pytorch", *filter(None, arguments.with_.split(","))]
    if not names:
        return {}
    python, names = prepare(arguments.environment, names)
    peers = {name: Peer(python, name, environment(threads)) for name in names}
    if "pytorch" in peers and has_tiles:
        # What PyTorch does with the vector instructions that our kernels have too.
        no_amx = Peer(python, "pytorch", environment(threads) | {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"})
        peers = {"pytorch": peers.pop("pytorch"), "pytorch_no_amx": no_amx, **peers}
    for name in [name for name, peer in peers.items() if not peer.version]:
        print(f"{name} is left out: it does not start", file=sys.stderr)
        peers.pop(name).close()
    return peers


def as_lines(report):
    """JSON with a line a case: to be read and compared in a terminal."""
    parts = []
    for key, value in report.items():
        lines = [json.dumps(row) for row in value] if isinstance(value, list) else None
        parts.append(f'"{key}": ' + (json.dumps(value) if lines is None else "[\n" + ",\n".join(lines) + "\n]"))
    return "{" + ",\n".join(parts) + "}\n"


def run_host(arguments):
    threads = arguments.threads or len(os.sched_getaffinity(0))
    ours = Ours(build(arguments.build), arguments.data, arguments.least)
    cases = {case["name"]: case for case in ours.cases}
    wanted = re.compile(arguments.filter)
    rows = [row for row in ROWS + pack_rows(ours.cases) if wanted.search(row.name)]
    scaled = [row for row in SCALING if wanted.search(f"scaling/{row.name}")] if threads > 1 else []
    name, has_tiles = processor()
    peers = start_peers(arguments, threads, has_tiles)

    def progress(text):
        if sys.stderr.isatty():
            print(text, file=sys.stderr)

    results = measure(rows, cases, ours, peers, threads, arguments, progress)
    scalings = []
    for row in scaled:
        progress(f"scaling/{row.name}")
        scalings.append(scaling(row, cases[row.case], ours, peers, threads, arguments))
    for peer in peers.values():
        peer.close()
    if not results and not scalings:
        sys.exit(f"perf/run: --filter {arguments.filter}: no case has such a name")

    runs = results + [run for row in scalings for run in row["runs"] if run["threads"] == threads]
    peaks = {peak: statistics.median(value for run in runs for value in run["peaks"][peak]) for peak in PEAKS}
    report = {"context": {"date": datetime.date.today().isoformat(), "processor": name, "threads": threads,
                          "variants": ours.variants, "peers": {name: peer.version for name, peer in peers.items()},
                          "peak_gflops": peaks},
              "cases": results, "scaling": scalings}
    output = pathlib.Path(arguments.output or ROOT / f"perf/results/host_{report['context']['date']}.json")
    output.write_text(as_lines(report))
    print_report(report, {case: cases[case]["lengths"] for case in cases})
