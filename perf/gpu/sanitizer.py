# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""compute-sanitizer: what is asked of it, and what it says."""

import re

# (tool, which kernels of ours): memcheck is the fast one.
TOOLS = [("memcheck", "-"), ("racecheck", "cuda"), ("synccheck", "cuda")]
STATUS = 86  # of a run that found something


def command(sanitizer, tool, program, kernels):
    return [
        sanitizer,
        "--tool",
        tool,
        "--error-exitcode",
        str(STATUS),
        "--print-limit",
        "30",
        str(program),
        f"small {kernels}",
    ]


def parse(text, status):
    """{"errors", "warnings", "findings": [what and in which kernel], "steps"}; "error": why there is no verdict."""
    result = {"errors": 0, "warnings": 0, "findings": findings(text)}
    if steps := re.search(r'\{"steps": (\d+)\}', text):
        result["steps"] = int(steps[1])
    summary = re.search(r"ERROR SUMMARY: (\d+) error", text)
    hazards = re.search(r"RACECHECK SUMMARY: \d+ hazards? displayed \((\d+) errors?, (\d+) warnings?\)", text)
    if summary:
        result["errors"] = int(summary[1])
    elif hazards:
        result["errors"], result["warnings"] = int(hazards[1]), int(hazards[2])
    else:
        result["error"] = f"ended with status {status} and without a summary: {last_line(text)}"
    if "steps" not in result and "error" not in result:
        said = re.search(r'\{"error": "(.*)"\}', text)
        result["error"] = (
            f"the program did not run to its end (status {status}): {said[1] if said else last_line(text)}"
        )
    return result


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def findings(text, most=10):
    """First lines of reports with the kernel of the next line that names one; equal ones once, with how often."""
    counts, pending = {}, None
    for line in text.splitlines():
        body = line.removeprefix("=========").strip() if line.startswith("=========") else ""
        if re.match(
            r"(Invalid|Error|Warning|Barrier error|Divergent|Uninitialized|Program hit|Race|Fatal|Potential)\b", body
        ):
            if pending:
                counts[pending] = counts.get(pending, 0) + 1
            pending = re.sub(r"0x[0-9a-f]+", "0x..", body)
        elif (
            pending
            and (where := re.search(r"\bat (?:0x[0-9a-f]+ in )?(.*?\w.*?)(?:\+0x[0-9a-f]+| in |$)", body))
            and body.startswith("at ")
        ):
            key = f"{pending}: {where[1][:160]}"
            counts[key] = counts.get(key, 0) + 1
            pending = None
    if pending:
        counts[pending] = counts.get(pending, 0) + 1
    return [f"{text} ({count} times)" if count > 1 else text for text, count in list(counts.items())[:most]]
