# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""scripts/gpu_check from end to end, with stand-ins for everything that needs a GPU."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# Answers as the program does: a millisecond for a forward, three for a backward.
ATTENTION_STEPS = '''#!{python}
import sys
sys.path.insert(0, "{perf}")
from cases import cases
areas = {{case.command(): case.area for case in cases()}}
def answer(line):
    word = line.split()[0]
    if word == "case":
        return '{{"area": %d, "tokens": 1, "kernel_forward": "cuda_sm80", "kernel_backward": "cuda_sm80"}}' % areas[line.strip()]
    if word == "compare":
        return '{{"differences": {{"out": 0.002, "dq": 0.004, "dk": 0.003, "dv": 0.003}}}}'
    if word == "small":
        return '{{"steps": 12}}'
    return '{{"seconds": %g}}' % (0.001 if word == "forward" else 0.003)
print('{{"space": "Cuda", "kernels": ["cuda_sm80", "portable"]}}', flush=True)
for line in sys.argv[1:] or sys.stdin:
    print(answer(line), flush=True)
'''

CMAKE = '''#!/bin/bash
# configures and builds nothing; what would be built is put in place
if [[ $1 == --build ]]; then
  if [[ -n $BREAK_BUILD ]]; then echo "kernel.cpp(7): error: expected a semicolon"; exit 1; fi
  mkdir -p "$2/perf/gpu" "$2/tests/backends" "$2/backends"
  cp "$STAND_INS/attention_steps" "$2/perf/gpu/"
  cp "$STAND_INS/a_test" "$2/tests/backends/backends_a_test"
  cp "$STAND_INS/b_test" "$2/tests/backends/backends_b_test"
  cp "$STAND_INS/kernels.txt" "$2/backends/forward.cpp.o.kernels.txt"
else
  echo "$@" >>"$STAND_INS/configured"
fi
'''

STAND_INS = {
    "nvidia-smi": '#!/bin/bash\n[[ -z $NO_GPU ]] || { echo "No devices were found"; exit 6; }\necho "NVIDIA H100 80GB HBM3, 9.0, 580.0, 81559 MiB"\n',
    "nvcc": '#!/bin/bash\necho "Cuda compilation tools, release 13.0, V13.0.88"\n',
    "cmake": CMAKE,
    "compute-sanitizer": '''#!/bin/bash
tool=$2
while [[ $1 != *attention_steps ]]; do shift; done
"$@"
if [[ $tool == racecheck ]]; then echo "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)"
else echo "========= ERROR SUMMARY: 0 errors"; fi
''',
    "ncu": '''#!/bin/bash
case "$*" in
  *--metrics*) echo "==ERROR== Failed to find metric sm__pipe"; exit 1 ;;
  *"--page raw"*) printf '"ID","Kernel Name","gpu__time_duration.sum"\\n"","","nsecond"\\n"0","void run_kernel<caesura::cuda::sm80::Forward<caesura::half, (int)64, (F)0>>(T1)","5000"\\n' ;;
  *"--page details"*) echo "all of it" ;;
  *) while [[ $1 != --export ]]; do shift; done; echo report >"$2" ;;
esac
''',
    "a_test": '''#!/bin/bash
echo '{"testsuites": [{"name": "A", "testsuite": [{"name": "x", "result": "COMPLETED"}]}]}' >"${GTEST_OUTPUT#json:}"
''',
    "b_test": '''#!/bin/bash
[[ -z $BREAK_TEST ]] || { echo "CUDA error: an illegal memory access was encountered"; exit 134; }
echo '{"testsuites": [{"name": "B", "testsuite": [{"name": "y", "result": "COMPLETED"}]}]}' >"${GTEST_OUTPUT#json:}"
''',
    "kernels.txt": """ptxas info    : Compiling entry function '_ZN7caesura3ptx10run_kernelINS_4cuda4sm807ForwardINS_8bfloat16ELi64ELNS3_8FeaturesE0EEEEEvT_' for 'sm_90'
ptxas info    : Function properties for _ZN7caesura3ptx10run_kernelINS_4cuda4sm807ForwardINS_8bfloat16ELi64ELNS3_8FeaturesE0EEEEEvT_
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 168 registers, used 1 barriers
""",
}


class GpuCheck(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "tree"
        for name in ("scripts/gpu_check", "scripts/check_kernels", "data/mixed_pretraining.txt"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        shutil.copytree(ROOT / "perf/gpu", self.root / "perf/gpu", ignore=shutil.ignore_patterns("__pycache__"))
        (self.root / ".deps/kokkos-gpu/bin").mkdir(parents=True)
        (self.root / ".deps/kokkos-gpu/bin/nvcc_wrapper").touch()
        # No PyTorch, wherever the tests run: this one cannot be imported.
        self.no_torch = Path(folder.name) / "no_torch"
        self.no_torch.mkdir()
        (self.no_torch / "torch.py").write_text("raise ImportError('libcudart is missing')\n")
        self.stand_ins = Path(folder.name) / "bin"
        self.stand_ins.mkdir()
        steps = ATTENTION_STEPS.format(python=sys.executable, perf=self.root / "perf/gpu")
        for name, text in (STAND_INS | {"attention_steps": steps}).items():
            file = self.stand_ins / name
            file.write_text(text)
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
        self.output = Path(folder.name) / "out"

    def check(self, *arguments, **environment):
        variables = (
            os.environ
            | {
                "PATH": f"{self.stand_ins}:{os.environ['PATH']}",
                "STAND_INS": str(self.stand_ins),
                "OUT": str(self.output),
                "PYTHONPATH": str(self.no_torch),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            | environment
        )
        return subprocess.run(
            [sys.executable, str(self.root / "scripts/gpu_check"), *arguments],
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def report(self):
        return json.loads((self.output / "report.json").read_text())

    def test_all_parts(self):
        done = self.check("--filter", "dim64", "--rounds", "2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        parts = self.report()["parts"]
        self.assertEqual(
            {name: part["verdict"] for name, part in parts.items()},
            dict.fromkeys(("build", "tests", "sanitizer", "benchmark", "profile"), "ok"),
        )
        self.assertEqual(parts["tests"]["summary"], "2 passed, 0 failed, 0 skipped")
        self.assertEqual(parts["build"]["kernels"][0]["registers"], 168)
        self.assertEqual(parts["profile"]["launches"][0]["milliseconds"], 0.005)
        benchmark = parts["benchmark"]["results"]
        self.assertEqual(len(benchmark["cases"]), 4)
        self.assertIn("libcudart is missing", benchmark["torch_error"])
        self.assertIn("-DCAESURA_CUDA_ARCHITECTURE=90", (self.stand_ins / "configured").read_text())
        for expected in (
            "| build | ok |",
            "| causal_4k_dim64 | forward | cuda_sm80 | 1.000 |",
            "| memcheck | 0 |",
            "No PyTorch",
        ):
            self.assertIn(expected, done.stdout)
        self.assertEqual(done.stdout, (self.output / "report.md").read_text())
        self.assertEqual(
            sorted(file.name for file in self.output.iterdir()),
            ["log.txt", "profile.ncu-rep", "profile.txt", "report.json", "report.md"],
        )

    def test_a_part_that_fails_is_reported_and_the_others_go_on(self):
        done = self.check("--filter", "causal_4k_dim64", "--rounds", "1", BREAK_TEST="1")
        self.assertEqual(done.returncode, 1)
        parts = self.report()["parts"]
        self.assertEqual({name for name, part in parts.items() if part["verdict"] != "ok"}, {"tests"})
        self.assertIn("illegal memory access", done.stdout)
        self.assertIn("1 passed, 1 failed", parts["tests"]["summary"])

    def test_a_build_that_fails_says_why(self):
        done = self.check(BREAK_BUILD="1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("expected a semicolon", self.report()["parts"]["build"]["error"])
        self.assertIn("kernel.cpp(7): error: expected a semicolon", done.stdout)
        self.assertIn("the part build makes it", self.report()["parts"]["benchmark"]["error"])

    def test_parts_can_be_chosen(self):
        done = self.check("--parts", "tests,build")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(list(self.report()["parts"]), ["build", "tests"])
        wrong = self.check("--parts", "tests,everything")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("--parts everything: must be of build, tests, sanitizer, benchmark, profile", wrong.stderr)

    def test_without_a_gpu_it_says_so(self):
        done = self.check(NO_GPU="1")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, "gpu_check: no GPU: nvidia-smi says: No devices were found\n")
        self.assertFalse(self.output.exists())

    def test_no_time_left_is_a_failure(self):
        done = self.check("--limit", "1")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.report()["parts"]["build"]["error"], "no time left")


if __name__ == "__main__":
    unittest.main()
