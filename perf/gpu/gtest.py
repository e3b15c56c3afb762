# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""GoogleTest's own JSON, and programs that ended before they wrote it."""

import json


def parse(report, status, output):
    """{"passed", "failed", "skipped", "failures": {test: first lines}} of one program; `report`: its JSON or None."""
    result = {"passed": 0, "failed": 0, "skipped": 0, "failures": {}}
    for suite in (json.loads(report) if report else {}).get("testsuites", []):
        for case in suite["testsuite"]:
            if case.get("failures"):
                result["failed"] += 1
                text = case["failures"][0]["failure"]
                result["failures"][f"{suite['name']}.{case['name']}"] = "\n".join(text.splitlines()[:12])
            elif case.get("result") == "SKIPPED":
                result["skipped"] += 1
            elif case.get("result") == "COMPLETED":
                result["passed"] += 1
    if status and not result["failed"]:
        result["failed"] += 1
        result["failures"]["the program itself"] = f"ended with status {status}:\n" + "\n".join(
            output.splitlines()[-12:]
        )
    return result
