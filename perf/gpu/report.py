# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""The report of scripts/gpu_check as Markdown."""

import statistics


def median(values):
    return statistics.median(values) if values else None


def cells(*parts):
    return "| " + " | ".join("" if part is None else str(part) for part in parts) + " |"


def form(value, spec, factor=1):
    return None if value is None else f"{value * factor:{spec}}"


def parts_table(report):
    lines = ["| part | verdict | seconds | what |", "| --- | --- | ---: | --- |"]
    for name, part in report["parts"].items():
        lines.append(cells(name, part["verdict"], form(part.get("seconds"), ".0f"), part.get("summary", "")))
    return lines


def test_lines(part):
    lines = []
    for program, result in part.get("programs", {}).items():
        for test, text in result["failures"].items():
            lines += [f"\n{program}: {test}", "```", text, "```"]
    return lines


def sanitizer_lines(part):
    lines = ["| tool | errors | warnings | steps | findings |", "| --- | ---: | ---: | ---: | --- |"]
    for tool, result in part.get("tools", {}).items():
        found = [result["error"]] if "error" in result else []
        lines.append(
            cells(
                tool,
                result["errors"],
                result["warnings"],
                result.get("steps"),
                "; ".join(found + result["findings"]).replace("|", "\\|"),
            )
        )
    return lines


def tflops(result, entry):
    seconds = median(entry.get("seconds"))
    return result["flops"] / seconds * 1e-12 if seconds else None


def ratio(ours, peer):
    """The median over the rounds of how much faster we were."""
    pairs = list(zip(ours.get("seconds", []), peer.get("seconds", [])))
    return median([them / us for us, them in pairs])


def benchmark_lines(benchmark):
    names = []
    for case in benchmark["cases"]:
        for result in case["passes"].values():
            names += [name for name in result["peers"] if name not in names]
    lines = [
        cells(
            "case",
            "pass",
            "kernel",
            "ms",
            "TFLOP/s",
            "of the product",
            *(f"{name}: TFLOP/s, ratio" for name in names),
            "difference",
        ),
        "| --- | --- | --- | ---: | ---: | ---: |" + " ---: |" * (len(names) + 1),
    ]
    errors = {}
    for case in benchmark["cases"]:
        peak = case.get("peaks", {}).get("matmul_tflops")
        worst = worst_difference(case)
        for direction, result in case["passes"].items():
            ours = result["ours"]
            rate = tflops(result, ours)
            row = [
                case["name"],
                direction,
                case.get("kernels", {}).get(direction),
                form(median(ours.get("seconds")), ".3f", 1e3),
                form(rate, ".1f"),
                form(rate / peak, ".1%") if rate and peak else None,
            ]
            if "error" in ours:
                errors.setdefault(("ours", ours["error"]), []).append(f"{case['name']} {direction}")
            for name in names:
                peer = result["peers"].get(name, {})
                if "error" in peer:
                    errors.setdefault((name, peer["error"]), []).append(f"{case['name']} {direction}")
                factor, speed = ratio(ours, peer), tflops(result, peer)
                row.append(
                    "fails"
                    if "error" in peer
                    else None if speed is None else f"{speed:.1f}" + (f", {factor:.2f}x" if factor else "")
                )
            lines.append(cells(*row, worst))
    peaks = [case["peaks"] for case in benchmark["cases"] if "matmul_tflops" in case.get("peaks", {})]
    if peaks:
        lines.append(
            "\nPeaks in the same run, medians: product of 8192 x 8192 x 8192 bfloat16 "
            f"{median([p['matmul_tflops'] for p in peaks]):.0f} TFLOP/s, "
            f"copy {median([p['copy_tbs'] for p in peaks]):.2f} TB/s (read and written). PyTorch {benchmark['torch']}."
        )
    if "torch_error" in benchmark:
        lines.append(f"\nNo PyTorch: {benchmark['torch_error']}")
    for (name, text), where in errors.items():
        lines.append(f"\n{name} fails ({', '.join(where)}): {text}")
    if benchmark["left_out"]:
        lines.append(f"\nLeft out, no time: {', '.join(benchmark['left_out'])}")
    return lines


def worst_difference(case):
    """The largest relative difference to the portable kernel's results, and of which tensor."""
    differences = case.get("differences")
    if not differences:
        return None
    if None in differences.values():
        return "not finite: " + ", ".join(name for name, value in differences.items() if value is None)
    name = max(differences, key=differences.get)
    return f"{name} {differences[name]:.1e}"


def profile_lines(part):
    lines = [
        f"Case {part['case']}.\n",
        "| kernel | ms | tensor pipe | warps active | registers | shared KiB | blocks x threads | DRAM | L2 | bank conflicts "
        "| top stalls |",
        "| --- |" + " ---: |" * 9 + " --- |",
    ]
    for launch in part.get("launches", []):
        size = (
            f"{launch['blocks']:.0f} x {launch['threads']:.0f}" if "blocks" in launch and "threads" in launch else None
        )
        lines.append(
            cells(
                launch["kernel"],
                form(launch.get("milliseconds"), ".3f"),
                form(launch.get("tensor_percent"), ".1f"),
                form(launch.get("warps_active_percent"), ".1f"),
                form(launch.get("registers"), ".0f"),
                form(launch.get("shared_bytes"), ".0f", 1 / 1024),
                size,
                form(launch.get("dram_percent"), ".1f"),
                form(launch.get("l2_percent"), ".1f"),
                form(launch.get("bank_conflicts"), ".3g"),
                ", ".join(f"{name} {value:.2f}" for name, value in launch["stalls"].items()),
            )
        )
    return lines


def kernel_lines(kernels):
    """Registers of the plain bfloat16 kernels; the rest is in the JSON."""
    shown = [k for k in kernels if k["features"] == "plain" and k["scalar"] == "bfloat16"]
    lines = ["| kernel, plain, bfloat16 | dim | registers | stack + spills, bytes |", "| --- | ---: | ---: | ---: |"]
    lines += [
        cells(f"{k['family']}::{k['name']}", k["dim"], k["registers"], f"{k['stack']} + {k['spills']}") for k in shown
    ]
    return lines


def markdown(report):
    gpu = report["gpu"]
    lines = [
        f"# GPU check: {gpu['name']}, compute capability {gpu['capability']}, driver {gpu['driver']}, "
        f"nvcc {report['nvcc']}",
        "",
    ]
    lines += parts_table(report)
    parts = report["parts"]
    for name, part in parts.items():
        if part["verdict"] != "ok" and part.get("error"):
            lines += ["", f"## {name} failed", "", "```", part["error"], "```"]
    if parts.get("build", {}).get("kernels"):
        lines += ["", "## Kernels as compiled", "", *kernel_lines(parts["build"]["kernels"])]
    if parts.get("tests", {}).get("programs"):
        failed = test_lines(parts["tests"])
        lines += ["", "## Failed tests", *failed] if failed else []
    if parts.get("sanitizer", {}).get("tools"):
        lines += ["", "## Sanitizers", "", *sanitizer_lines(parts["sanitizer"])]
    if parts.get("benchmark", {}).get("results"):
        lines += ["", "## Benchmark, bfloat16, causal", "", *benchmark_lines(parts["benchmark"]["results"])]
    if parts.get("profile", {}).get("launches"):
        lines += ["", "## Profile", "", *profile_lines(parts["profile"])]
    return "\n".join(lines) + "\n"
