# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Runs programs whose rank 1 fails (mpi_faults.hpp), and checks what every other rank says and after how long."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

RANKS = 4
FAULTY = 1
TIMEOUT = 1.5  # of the communicator, s
SLACK = 2.5  # how much later an error may come on a loaded machine, s
LIMIT = 30  # for a whole run, s: what takes longer hangs

# Without these, a launcher ends the whole job when a process dies, which is right for most users, but tests nothing.
SURVIVE = {"openmpi": ["--enable-recovery", "--mca", "orte_abort_on_non_zero_status", "0"],
           "mpich": ["-disable-auto-cleanup"]}
# MPICH's launcher does so in any case if a signal ended it: a shell makes a number of the signal. It also tells the
# others with SIGUSR1.
SHELL = {"openmpi": [], "mpich": ["sh", "-c", 'trap "" USR1; "$0" "$@"; exit $?']}
# UCX, below MPICH, ends a process that reads another's memory when that has died: no reading of others' memory.
ENVIRONMENT = {"openmpi": {}, "mpich": {"UCX_TLS": "^cma"}}

KEYS = "process|error after|ANOTHER KIND after|next call after|no error|WRONG DATA|TOO FEW STAGES|next call works|dies in"
NAMES_IT = rf"(from|to) rank {FAULTY}\b"


def late(operation):
    """How an error looks when time is over, or MPI knows at once and says it in its own words. Some may name a rank that failed for
    want of the faulty one and has left, but not all."""
    return rf"{operation}: rank \d of {RANKS}: (not complete after .*: missing .*|\d+ bytes )(from|to) rank \d"


@dataclass
class Case:
    what: str  # the program's first argument; its second is the time-out
    arguments: list  # those behind
    pattern: str  # what the survivors' errors must match
    survivors: set  # those that must see an error
    unharmed: bool = False  # the next call works
    says: str = ""  # what the faulty rank must have said

    def __str__(self):
        return " ".join([self.what, *self.arguments])


def run(case, family, program, launcher):
    """What a run printed, as {rank: {"process": text, ...}} and in lines, whether it hung, and who does not leave."""
    command = [*launcher, *SURVIVE[family], "-n", str(RANKS), *SHELL[family], program, case.what, str(int(TIMEOUT * 1000)), *case.arguments]
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True, env=os.environ | ENVIRONMENT[family])
    ranks = {rank: {} for rank in range(RANKS)}
    lines = []
    os.set_blocking(process.stdout.fileno(), False)
    buffered = b""
    while time.monotonic() - begin < LIMIT:
        try:
            buffered += os.read(process.stdout.fileno(), 65536)
        except BlockingIOError:
            pass  # nothing new
        *complete, buffered = buffered.split(b"\n")
        for line in (text.decode(errors="replace").rstrip() for text in complete):
            lines.append(line)
            found = re.match(rf"rank (\d+): ({KEYS})\s?(.*)", line)
            if found:
                ranks[int(found[1])][found[2]] = found[3]
        if process.poll() is not None and not complete:
            break
        if all({"next call after", "next call works"} & ranks[rank].keys() for rank in case.survivors):
            break  # the launcher may wait for the stopped process
        time.sleep(0.02)
    hung = time.monotonic() - begin >= LIMIT
    time.sleep(0.2)  # survivors leave by themselves
    alive = [rank for rank, said in ranks.items()
             if rank != FAULTY and rank in case.survivors and is_alive(int(said.get("process", 0)))]
    end(process, [int(said["process"]) for said in ranks.values() if "process" in said])
    return ranks, lines, hung, alive


def is_alive(identity):
    try:
        with open(f"/proc/{identity}/stat") as status:
            return status.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def end(launcher, processes):
    """Ends what is left: ranks by the identities they printed, the launcher with its session."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass
    try:
        launcher.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()
    launcher.stdout.close()


def faults(case, ranks, hung, alive):
    """What is wrong with what the ranks said."""
    if hung:
        yield f"not over after {LIMIT} s"
    for rank in sorted(case.survivors):
        said = ranks[rank].get("error after")
        if said is None:
            yield f"rank {rank} saw no error of communication"
            continue
        seconds, message = said.split(" s: ", 1)
        if not re.search(case.pattern, message):
            yield f"rank {rank}: the error does not match {case.pattern}: {message}"
        if float(seconds) > TIMEOUT + SLACK:
            yield f"rank {rank}: the error came after {seconds} s"
        later = re.match(r"(\d+\.\d+) s: .*failed before: ", ranks[rank].get("next call after", ""))
        if not case.unharmed and not (later and float(later[1]) < TIMEOUT / 2):
            yield f"rank {rank}: the next call does not fail at once: {ranks[rank].get('next call after', 'never')}"
        if case.unharmed != ("next call works" in ranks[rank]):
            yield f"rank {rank}: the next call should {'work' if case.unharmed else 'fail'}"
    if "missing" in case.pattern and not any(re.search(NAMES_IT, said.get("error after", "")) for said in ranks.values()):
        yield f"nobody names rank {FAULTY}"
    for rank, said in ranks.items():
        yield from (f"rank {rank}: {bad}" for bad in ("WRONG DATA", "TOO FEW STAGES", "ANOTHER KIND after") if bad in said)
    if case.says and case.says not in ranks[FAULTY]:
        yield f"rank {FAULTY} did not say: {case.says}"
    if alive:
        yield f"ranks {alive} do not leave"


def main(cases, usage):
    if len(sys.argv) < 4 or sys.argv[1] not in SURVIVE:
        sys.exit(usage)
    family, program, *launcher = sys.argv[1:]
    failed = 0
    for case in cases:
        begin = time.monotonic()
        ranks, lines, hung, alive = run(case, family, program, launcher)
        print(f"{case}, {time.monotonic() - begin:.1f} s")
        for rank, said in ranks.items():
            if "error after" in said:
                print(f"  rank {rank}: error after {said['error after']}")
        wrong = list(faults(case, ranks, hung, alive))
        for line in wrong:
            print(f"  FAILED: {line}")
        if wrong:
            print("  it printed:", *lines, sep="\n    ")
        failed += bool(wrong)
    print(f"{len(cases) - failed} of {len(cases)} cases as they should be")
    sys.exit(failed > 0)
