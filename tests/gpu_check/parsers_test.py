# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""What scripts/gpu_check and scripts/check_kernels make of what the tools say."""

import importlib.machinery
import importlib.util
import json
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "perf/gpu"))
import gtest  # noqa: E402
import ncu  # noqa: E402
import sanitizer  # noqa: E402
from cases import cases, pack  # noqa: E402


def script(name):
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module
    loader.exec_module(module)
    return module


check_kernels = script("check_kernels")

FORWARD = "_ZN7caesura3ptx10run_kernelINS_4cuda4sm807ForwardINS_8bfloat16ELi128ELNS3_8FeaturesE0EEEEEvT_"
BACKWARD = "_ZN7caesura3ptx10run_kernelINS_4cuda4sm8010BackwardKVINS_4halfELi192ELNS3_8FeaturesE1ELNS3_12KeyGradientsE1EEEEEvT_"
PTXAS = f"""ptxas info    : 0 bytes gmem, 24 bytes cmem[4]
ptxas info    : Compiling entry function '{FORWARD}' for 'sm_90'
ptxas info    : Function properties for {FORWARD}
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 232 registers, used 1 barriers
ptxas info    : Compile time = 1402.224 ms
ptxas info    : Compiling entry function '{BACKWARD}' for 'sm_90'
ptxas info    : Function properties for {BACKWARD}
    48 bytes stack frame, 36 bytes spill stores, 40 bytes spill loads
ptxas info    : Function properties for _ZN7caesura8portable4tanhEf
    8 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 16 bytes smem, 744 bytes cmem[0]
ptxas info    : Compiling entry function '_ZN6Kokkos4Impl33cuda_parallel_launch_local_memoryINS0_3FooEEEvT_' for 'sm_90'
ptxas info    : Function properties for _ZN6Kokkos4Impl33cuda_parallel_launch_local_memoryINS0_3FooEEEvT_
    0 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 40 registers, used 0 barriers
"""


class Kernels(unittest.TestCase):
    def test_names_registers_and_spills_are_read(self):
        forward, backward = check_kernels.parse(PTXAS)
        self.assertEqual(
            (forward.family, forward.name, forward.scalar, forward.dim, forward.features, forward.architecture),
            ("sm80", "Forward", "bfloat16", 128, "plain", "sm_90"),
        )
        self.assertEqual((forward.registers, forward.stack, forward.spills, forward.shared), (232, 0, 0, 0))
        self.assertEqual(
            (backward.family, backward.name, backward.scalar, backward.dim, backward.features),
            ("sm80", "BackwardKV keys", "half", 192, "all"),
        )
        self.assertEqual((backward.registers, backward.stack, backward.spills, backward.shared), (255, 48, 76, 16))

    def test_only_plain_kernels_must_not_spill(self):
        self.assertEqual(check_kernels.failures(check_kernels.parse(PTXAS)), [])
        for spoiled in (
            PTXAS.replace("    0 bytes stack frame, 0", "    8 bytes stack frame, 0", 1),
            PTXAS.replace(
                "    0 bytes stack frame, 0 bytes spill stores", "    0 bytes stack frame, 4 bytes spill stores", 1
            ),
        ):
            self.assertEqual([kernel.dim for kernel in check_kernels.failures(check_kernels.parse(spoiled))], [128])

    def test_the_table_has_a_row_for_each_kernel(self):
        rows = check_kernels.table(check_kernels.parse(PTXAS)).splitlines()
        self.assertEqual(len(rows), 4)
        self.assertEqual(rows[2], "| sm80::Forward | bfloat16 | plain | 128 | 232 | 0 + 0 | 0 |")


RAW = '''==PROF== Connected to process 411
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC","dram__throughput.avg.pct_of_peak_sustained_elapsed","gpu__time_duration.sum","launch__block_size","launch__grid_size","launch__registers_per_thread","launch__shared_mem_per_block_dynamic","sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active","sm__warps_active.avg.pct_of_peak_sustained_active","smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio","smsp__average_warps_issue_stalled_long_scoreboard_not_issued_per_issue_active.ratio","smsp__average_warps_issue_stalled_math_pipe_throttle_per_issue_active.ratio","smsp__average_warps_issue_stalled_selected_per_issue_active.ratio"
"","","","","","","","","","","%","nsecond","","","register/thread","byte/block","%","%","inst","inst","inst","inst"
"0","411","attention_steps","host","void caesura::ptx::run_kernel<caesura::cuda::sm80::Forward<caesura::bfloat16, (int)128, (caesura::cuda::sm80::Features)0>>(T1)","1","7","(128, 1, 1)","(2,048, 1, 1)","0","9.0","3.5","1,912,345","128","2,048","232","65,536","61.25","6.2","0.5","9.0","1.75","1.0"
"1","411","attention_steps","host","void Kokkos::Impl::cuda_parallel_launch_local_memory<Kokkos::Impl::ParallelFor<caesura::portable::BackwardDelta<Kokkos::Cuda, caesura::bfloat16>, X>>(T1)","1","7","(128, 1, 1)","(64, 1, 1)","0","9.0","80","20,000","128","64","40","0","0","90","n/a","1","0.25","1"
'''


class Profiles(unittest.TestCase):
    def test_figures_of_launches(self):
        forward, delta = ncu.parse(RAW)
        self.assertEqual(forward["kernel"], "sm80::Forward<bfloat16, 128, 0>")
        self.assertEqual(forward["milliseconds"], 1.91234)  # six digits
        self.assertEqual(
            (forward["tensor_percent"], forward["registers"], forward["shared_bytes"], forward["blocks"]),
            (61.25, 232, 65536, 2048),
        )
        self.assertEqual(forward["stalls"], {"math_pipe_throttle": 1.75, "barrier": 0.5})
        self.assertEqual(delta["kernel"], "portable::BackwardDelta")
        self.assertEqual(delta["stalls"], {"math_pipe_throttle": 0.25})

    def test_no_table_is_no_launch(self):
        self.assertEqual(ncu.parse("==ERROR== The application returned an error code (11).\n"), [])


MEMCHECK = '''========= COMPUTE-SANITIZER
{"space": "Cuda", "kernels": ["cuda_sm80", "portable"]}
========= Invalid __global__ read of size 16 bytes
=========     at void caesura::ptx::run_kernel<caesura::cuda::sm80::Forward<caesura::half, (int)64, (Features)0>>(T1)+0x1d0
=========     by thread (5,0,0) in block (3,0,0)
=========     Address 0x7f5f2a000000 is out of bounds
========= Invalid __global__ read of size 16 bytes
=========     at void caesura::ptx::run_kernel<caesura::cuda::sm80::Forward<caesura::half, (int)64, (Features)0>>(T1)+0x1f0
{"steps": 24}
========= ERROR SUMMARY: 2 errors
'''
RACECHECK = '''========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at void run_kernel<Forward>(T1)+0x4e0
=========     and Read access at void run_kernel<Forward>(T1)+0x510 [64 hazards]
{"steps": 12}
========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)
'''


class Sanitizers(unittest.TestCase):
    def test_memcheck(self):
        result = sanitizer.parse(MEMCHECK, 86)
        self.assertEqual((result["errors"], result["steps"]), (2, 24))
        self.assertEqual(len(result["findings"]), 1)
        self.assertIn("Invalid __global__ read of size 16 bytes", result["findings"][0])
        self.assertIn("Forward", result["findings"][0])
        self.assertIn("(2 times)", result["findings"][0])
        self.assertNotIn("error", result)

    def test_racecheck(self):
        result = sanitizer.parse(RACECHECK, 86)
        self.assertEqual((result["errors"], result["warnings"]), (1, 0))
        self.assertIn("Race reported between Write access", result["findings"][0])

    def test_clean(self):
        self.assertEqual(
            sanitizer.parse('{"steps": 3}\n========= ERROR SUMMARY: 0 errors\n', 0),
            {"errors": 0, "warnings": 0, "findings": [], "steps": 3},
        )

    def test_no_verdict_is_an_error(self):
        self.assertIn(
            "without a summary",
            sanitizer.parse("========= COMPUTE-SANITIZER\n========= Error: Device not supported.\n", 1)["error"],
        )
        self.assertIn(
            "out of memory",
            sanitizer.parse('{"error": "out of memory"}\n========= ERROR SUMMARY: 0 errors\n', 0)["error"],
        )


class Tests(unittest.TestCase):
    def test_counts_and_failures(self):
        report = json.dumps(
            {
                "testsuites": [
                    {
                        "name": "A",
                        "testsuite": [
                            {"name": "x", "result": "COMPLETED"},
                            {"name": "y", "result": "SKIPPED"},
                            {"name": "z", "result": "COMPLETED", "failures": [{"failure": "file.cpp:3\nfalse"}]},
                        ],
                    }
                ]
            }
        )
        result = gtest.parse(report, 1, "")
        self.assertEqual((result["passed"], result["failed"], result["skipped"]), (1, 1, 1))
        self.assertEqual(result["failures"], {"A.z": "file.cpp:3\nfalse"})

    def test_a_crash_is_a_failure(self):
        result = gtest.parse(None, -11, "[ RUN ] A.x\n")
        self.assertEqual(result["failed"], 1)
        self.assertIn("status -11", result["failures"]["the program itself"])


class Cases(unittest.TestCase):
    def test_commands_and_areas(self):
        by_name = {case.name: case for case in cases()}
        self.assertEqual(by_name["documents_8192x34_dim64"].command(), "case bfloat16 - causal 8 8 64 34x8192")
        self.assertEqual(by_name["documents_8192x34_dim64"].area, 8192 * 595)
        self.assertEqual(by_name["causal_4k_dim128"].flops("backward"), 2.5 * 4 * 4096 * 4097 / 2 * 128 * 16)

    def test_packs_fill_their_tokens(self):
        lengths = pack(ROOT / "data/mixed_pretraining.txt", 32768)
        self.assertEqual(sum(lengths), 32768)
        self.assertGreater(len(lengths), 5)


if __name__ == "__main__":
    unittest.main()
