# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""What `perf/run host` says of its figures: medians over the rounds, in Markdown."""

import statistics

from host_rows import work_weighted_length


def median(rounds, key):
    values = [figures[key] for figures in rounds if key in figures]
    return statistics.median(values) if values else None


def best_variant(result):
    """The kernel that callers get: the first, as they are listed best first, that does not refuse."""
    able = (variant for variant, rounds in result["ours"].items() if "seconds" in rounds[0])
    return next(able, next(iter(result["ours"])))


def of_best(result, key):
    return median(result["ours"][best_variant(result)], key)


def ratio(result, peer):
    """The median over the rounds of how much faster we were."""
    pairs = zip(result["ours"][best_variant(result)], result["peers"].get(peer, []))
    values = [them["seconds"] / us["seconds"] for us, them in pairs if "seconds" in us and "seconds" in them]
    return statistics.median(values) if values else None


def goal(of_peak, multiple):
    return ", ".join([f"{of_peak:.0%}"] * bool(of_peak) + [f"{multiple:g}x"] * bool(multiple))


def others(result):
    """The shares of the peak of the kernels that callers do not get by themselves."""
    best = best_variant(result)
    shares = {variant: median(rounds, "of_peak") for variant, rounds in result["ours"].items() if variant != best}
    return ", ".join(f"{variant} {share:.1%}" for variant, share in shares.items() if share is not None)


def label(peer):
    return peer.replace("pytorch", "PyTorch").replace("_no_amx", " without AMX").replace("openvino", "OpenVINO")


def table(results, peers):
    columns = ["case", "must", "aim", "kernel", "of peak", "of undisturbed peak", "GFLOP/s", "other kernels"]
    # PyTorch and its own second figure come first: those are what goals are about.
    for peer in peers:
        columns += [label(peer), "ratio"]
    lines = ["| " + " | ".join(columns) + " |", "| --- |" + " ---: |" * (len(columns) - 1)]

    def number(value, form):
        return "" if value is None else f"{value:{form}}"

    for result in results:
        cells = [result["name"], goal(*result["must"].values()), goal(*result["aim"].values()),
                 best_variant(result), number(of_best(result, "of_peak"), ".1%"),
                 number(of_best(result, "of_undisturbed_peak"), ".1%"),
                 number(of_best(result, "gflops"), ".1f"), others(result)]
        for peer in peers:
            cells += [number(median(result["peers"].get(peer, []), "gflops"), ".1f"),
                      number(ratio(result, peer), ".2f")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def speedups(one, all_, peers):
    """How many times faster all threads are than one, in each round; the median by name."""
    pairs = [("ours", one["ours"][best_variant(one)], all_["ours"][best_variant(all_)])]
    pairs += [(peer, one["peers"].get(peer, []), all_["peers"].get(peer, [])) for peer in peers]
    medians = {}
    for name, slow, fast in pairs:
        values = [a["seconds"] / b["seconds"] for a, b in zip(slow, fast) if "seconds" in a and "seconds" in b]
        if values:
            medians[name] = statistics.median(values)
    return medians


def missed(results):
    """The cases that are below what they must reach."""
    names = []
    for result in results:
        share = of_best(result, "of_peak") or 0  # 0: no kernel does it
        times = ratio(result, "pytorch")
        if share < result["must"]["of_peak"] or (times is not None and times < result["must"]["ratio"]):
            names.append(result["name"])
    return names


def print_peaks(context):
    labels = {"float": "float", "double": "double", "dot": "bfloat16 dot products", "tile": "bfloat16 tiles"}
    rates = [f"{label} {context['peak_gflops'][peak]:.0f}" if context["peak_gflops"][peak] else f"{label} none"
             for peak, label in labels.items()]
    threads = context["threads"]
    print(f"{context['processor']}, {threads} thread{'s' * (threads > 1)}; "
          f"undisturbed peaks in GFLOP/s: {', '.join(rates)}.")


def print_scaling(rows, threads):
    names = list(rows[0]["speedup"])
    print(f"\n| 1 to {threads} threads | must | aim | {' | '.join(map(label, names))} |")
    print("| --- |" + " ---: |" * (2 + len(names)))
    for row in rows:
        cells = [f"{row['speedup'][name]:.2f}x" if name in row["speedup"] else "" for name in names]
        print(f"| {row['name']} | {row['must']:g}x | {row['aim']:g}x | {' | '.join(cells)} |")


def print_report(report, lengths):
    """`lengths`: of the documents, by case."""
    context, results = report["context"], report["cases"]
    peers = list(context["peers"])
    print_peaks(context)
    if results:
        print("\n" + table(results, peers))
    cases = dict.fromkeys(result["name"].split("/")[1] for result in results)
    packs = [case for case in cases if case.startswith("pack_")]
    if packs:
        print("\nWork-weighted lengths of documents: "
              + ", ".join(f"{case} {work_weighted_length(lengths[case]):.0f}" for case in packs) + ".")
    if report["scaling"]:
        print_scaling(report["scaling"], context["threads"])
    below = missed(results)
    if below:
        print("\nBelow what they must reach: " + ", ".join(below) + ".")
