# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Nsight Compute: what is asked of it, and what it says."""

import csv
import io
import re

# Sections bring what they need on the chip that is there; the metrics are those that no section has everywhere.
SECTIONS = [
    "SpeedOfLight",
    "Occupancy",
    "LaunchStats",
    "WarpStateStats",
    "MemoryWorkloadAnalysis",
    "ComputeWorkloadAnalysis",
    "SourceCounters",
]
METRICS = [
    "gpu__time_duration.sum",
    "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed",
    "lts__throughput.avg.pct_of_peak_sustained_elapsed",
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",
]

# (key, columns of which the first that is there counts, factor)
FIGURES = [
    ("milliseconds", ["gpu__time_duration.sum"], 1e-6),  # nanoseconds
    (
        "tensor_percent",
        [
            "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active",
            "sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_active",
        ],
        1,
    ),
    ("warps_active_percent", ["sm__warps_active.avg.pct_of_peak_sustained_active"], 1),
    ("registers", ["launch__registers_per_thread"], 1),
    ("shared_bytes", ["launch__shared_mem_per_block_dynamic"], 1),
    ("threads", ["launch__block_size"], 1),
    ("blocks", ["launch__grid_size"], 1),
    (
        "dram_percent",
        [
            "dram__throughput.avg.pct_of_peak_sustained_elapsed",
            "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed",
        ],
        1,
    ),
    ("l2_percent", ["lts__throughput.avg.pct_of_peak_sustained_elapsed"], 1),
    ("sm_percent", ["sm__throughput.avg.pct_of_peak_sustained_elapsed"], 1),
    ("bank_conflicts", ["l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum"], 1),
]


def capture_command(ncu, report, program, case_command, with_metrics=True):
    """Writes a report of the kernels of a forward and of both backwards. Clocks stay as they are: machines are shared."""
    command = [
        ncu,
        "--force-overwrite",
        "--export",
        str(report),
        "--clock-control",
        "none",
        "--target-processes",
        "all",
        "--kernel-name-base",
        "demangled",
        "--kernel-name",
        "regex:run_kernel|BackwardDelta",
        "--launch-skip",
        "1",  # the forward that prepares the case
        "--launch-count",
        "10",
    ]
    for section in SECTIONS:
        command += ["--section", section]
    if with_metrics:
        command += ["--metrics", ",".join(METRICS)]
    return command + [str(program), case_command, "forward 1", "backward 1", "backward_any 1"]


def raw_command(ncu, report):
    return [
        ncu,
        "--import",
        str(report),
        "--csv",
        "--page",
        "raw",
        "--print-units",
        "base",
        "--print-kernel-base",
        "demangled",
    ]


def details_command(ncu, report):
    return [ncu, "--import", str(report), "--page", "details", "--print-kernel-base", "demangled"]


def short_name(demangled):
    """sm80::Forward<bfloat16, 128, 0> of ...run_kernel<caesura::cuda::sm80::Forward<caesura::bfloat16, (int)128, (...)0>>..."""
    text = re.sub(r"\((?:unsigned )?[a-zA-Z_][\w:]*\)(?=-?\d)", "", demangled)  # casts in front of template arguments
    found = re.search(r"\b(sm\d+\w*::\w+)<([^<>]*)>", text)
    if found:
        arguments = ", ".join(part.strip().split("::")[-1] for part in found[2].split(","))
        return f"{found[1]}<{arguments}>"
    found = re.search(r"caesura::(\w+::\w+)<", text)
    return found[1] if found else demangled[:60]


def number(text):
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def parse(text):
    """One dictionary a kernel launch, from the raw page: a line of names, one of units, one for each launch."""
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    begin = next((i for i, row in enumerate(rows) if row[0] == "ID"), None)
    if begin is None:
        return []
    names = rows[begin]
    launches = []
    for row in rows[begin + 2 :]:
        if len(row) != len(names):
            continue
        values = dict(zip(names, row))
        launch = {"kernel": short_name(values.get("Kernel Name", ""))}
        for key, columns, factor in FIGURES:
            found = next(
                (number(values[column]) for column in columns if number(values.get(column, "")) is not None), None
            )
            if found is not None:
                launch[key] = float(f"{found * factor:.6g}")
        launch["stalls"] = stalls(values)
        launches.append(launch)
    return launches


def stalls(values, most=4):
    """Why warps waited, most first: warps that waited for it whenever an instruction was issued."""
    found = {}
    for name, value in values.items():
        match = re.fullmatch(r"smsp__average_warps_issue_stalled_(\w+?)_per_issue_active(?:\.ratio|\.pct)?", name)
        if match and not match[1].endswith("_not_issued") and match[1] != "selected" and number(value) is not None:
            found[match[1]] = number(value)
    return dict(sorted(found.items(), key=lambda item: -item[1])[:most])
