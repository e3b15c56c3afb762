# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""What scripts/gpu_check finds on a machine, runs there, and prepares for another one."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DEPS = ROOT / ".deps"

# Made and carried by --pack: GoogleTest, compiled, and the JSON headers that configuring asks for.
PACKAGES = DEPS / "gpu-packages"
GTEST_SOURCES = Path("/usr/src/googletest")
JSON_HEADERS = Path("/usr/include/nlohmann")
JSON_CONFIG = Path("/usr/share/cmake/nlohmann_json")


class Failed(Exception):
    """A part has no result, and why."""


class Missing(Exception):
    """This machine cannot do any of it."""


class Log:
    """What all commands said, in one file: machines that lend a GPU give few files back."""

    def __init__(self, path):
        self.path = path
        path.write_text("")

    def add(self, command, text, status):
        with self.path.open("a") as out:
            out.write(f"\n$ {' '.join(map(str, command))}\n{text.rstrip()}\n(status {status})\n")


def run(command, limit, log, environment=None):
    """(status, what it said); at the limit the whole process group is killed, and the status is None."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
    )
    try:
        text, status = process.communicate(timeout=max(limit, 1))[0], process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        text, status = process.communicate()[0], None
    log.add(command, text, "killed at the limit" if status is None else status)
    return status, text


def tail(text, lines=25):
    return "\n".join(text.rstrip().splitlines()[-lines:])


def tool(name, *folders):
    """A program on PATH or in one of CUDA's folders, or None."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *folders, "/usr/local/cuda/bin"])
    return shutil.which(name, path=path)


def find_gpu():
    """{"name", "capability", "driver", "memory"} of the first."""
    smi = tool("nvidia-smi", "/usr/local/nvidia/bin")
    if smi is None:
        raise Missing("no GPU: nvidia-smi is not there")
    done = subprocess.run(
        [smi, "--query-gpu=name,compute_cap,driver_version,memory.total", "--format=csv,noheader"],
        capture_output=True,
        text=True,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise Missing(f"no GPU: nvidia-smi says: {tail(done.stdout + done.stderr, 2) or 'nothing'}")
    return dict(zip(("name", "capability", "driver", "memory"), (part.strip() for part in lines[0].split(","))))


def find_nvcc():
    """(folder, version)"""
    nvcc = tool("nvcc")
    if nvcc is None:
        raise Missing(
            "no nvcc: it is neither on PATH nor in /usr/local/cuda/bin (the CUDA Toolkit 12.4 or newer has it)"
        )
    said = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"V(\d[\d.]*)", said)
    return Path(nvcc).parent, version[1] if version else "unknown"


def find_kokkos(arguments, log, deadline):
    """The install that was made for another machine, or one made here."""
    for prefix in ([arguments.kokkos] if arguments.kokkos else [DEPS / "kokkos-gpu", DEPS / "kokkos-cuda"]):
        wrapper = prefix / "bin/nvcc_wrapper"
        if wrapper.exists():
            if not os.access(wrapper, os.X_OK):  # lost on the way here
                wrapper.chmod(0o755)
            return prefix.resolve()
        if arguments.kokkos:
            raise Failed(f"--kokkos {prefix}: holds no bin/nvcc_wrapper")
    status, said = run([ROOT / "scripts/get_kokkos", "--backend", "gpu"], deadline - time.monotonic(), log)
    if status:
        raise Failed(
            "no Kokkos with CUDA, and none could be made: carry .deps/kokkos-gpu, made by scripts/gpu_check --pack:\n"
            + tail(said, 8)
        )
    return DEPS / "kokkos-gpu"


def slowest(ninja_log, most=5):
    """{output: seconds}"""
    if not ninja_log.exists():
        return {}
    seconds = {}
    for line in ninja_log.read_text().splitlines()[1:]:
        begin, end, _, output = line.split("\t")[:4]
        seconds[Path(output).name] = (int(end) - int(begin)) / 1000
    return dict(sorted(seconds.items(), key=lambda item: -item[1])[:most])


def pack():
    """Makes what a machine with a GPU, but without network and packages, needs in the working tree."""
    for path, package in (
        (GTEST_SOURCES, "libgtest-dev"),
        (JSON_HEADERS, "nlohmann-json3-dev"),
        (JSON_CONFIG, "nlohmann-json3-dev"),
    ):
        if not path.is_dir():
            sys.exit(f"gpu_check: {path} is not there: the package {package} brings it")
    if not (PACKAGES / "include/gtest/gtest.h").exists():
        objects = DEPS / "objects-gpu-packages"
        for command in (
            [
                "cmake",
                "-S",
                GTEST_SOURCES,
                "-B",
                objects,
                "-DCMAKE_BUILD_TYPE=Release",
                "-DBUILD_GMOCK=OFF",
                "-DCMAKE_INSTALL_LIBDIR=lib",
                f"-DCMAKE_INSTALL_PREFIX={PACKAGES}",
            ],
            ["cmake", "--build", objects],
            ["cmake", "--install", objects],
        ):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                sys.exit(f"{tail(done.stdout)}\ngpu_check: '{' '.join(map(str, command))}' failed")
        shutil.rmtree(objects)
    shutil.copytree(JSON_HEADERS, PACKAGES / "include/nlohmann", dirs_exist_ok=True)
    shutil.copytree(JSON_CONFIG, PACKAGES / "share/cmake/nlohmann_json", dirs_exist_ok=True)
    nvcc = find_nvcc()[0]
    done = subprocess.run(
        [ROOT / "scripts/get_kokkos", "--backend", "gpu"],
        env=os.environ | {"PATH": f"{os.environ['PATH']}{os.pathsep}{nvcc}"},
    )
    if done.returncode:
        sys.exit(done.returncode)
    print("carry with the working tree: .deps/kokkos-gpu .deps/gpu-packages")
