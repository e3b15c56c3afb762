#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Lets one rank of real MPI processes fail, and checks what every other rank says and after how long.

    mpi_faults_test.py openmpi|mpich PROGRAM LAUNCHER...

PROGRAM is comm_mpi_faults, LAUNCHER mpiexec with its options.
"""

import os
import re
import signal
import subprocess
import sys
import time

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

# case: (rows a rank and peer, what the survivors' errors must match, survivors that must see an error)
# Time is over, or MPI knows at once and says it in its own words. Some may name a rank that failed for want of the faulty
# one and has left, but not all.
LATE = rf"all_to_all_v: rank \d of {RANKS}: (not complete after .*: missing .*|\d+ bytes )(from|to) rank \d"
NAMES_IT = rf"(from|to) rank {FAULTY}\b"
CASES = {
    "die": (10, LATE, {0, 2, 3}),
    "die, large": (10_000, LATE, {0, 2, 3}),
    "leave": (10, LATE, {0, 2, 3}),
    "stop": (10, LATE, {0, 2, 3}),
    "stop, large": (10_000, LATE, {0, 2, 3}),
    "wrong_count": (10, rf"all_to_all_v: rank 2 of {RANKS}: rank {FAULTY} sent 2304 bytes where 2560 were expected", {2}),
    "wrong_count_checked": (10, rf"all_to_all_v: rank {FAULTY} sends 2304 bytes to rank 2, which expects 2560", {0, 1, 2, 3}),
}
UNHARMED = {"wrong_count_checked"}  # no data has moved: the next call, with the right counts, works


def run(case, rows, family, program, launcher):
    """What a run printed, as {rank: {"process": text, ...}}, and whether it ended by itself."""
    command = [*launcher, *SURVIVE[family], "-n", str(RANKS), *SHELL[family], program, case.split(",")[0], str(int(TIMEOUT * 1000)),
               str(rows)]
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True, env=os.environ | ENVIRONMENT[family])
    ranks = {rank: {} for rank in range(RANKS)}
    lines = []
    os.set_blocking(process.stdout.fileno(), False)
    expected = CASES[case][2]
    buffered = b""
    while time.monotonic() - begin < LIMIT:
        try:
            buffered += os.read(process.stdout.fileno(), 65536)
        except BlockingIOError:
            pass  # nothing new
        *complete, buffered = buffered.split(b"\n")
        for line in (text.decode(errors="replace").rstrip() for text in complete):
            lines.append(line)
            found = re.match(r"rank (\d+): (process|error after|next call after|no error|WRONG DATA|next call works)\s?(.*)", line)
            if found:
                ranks[int(found[1])][found[2]] = found[3]
        if process.poll() is not None and not complete:
            break
        if all({"next call after", "next call works"} & ranks[rank].keys() for rank in expected):
            break  # the launcher may wait for the stopped process
        time.sleep(0.02)
    hung = time.monotonic() - begin >= LIMIT
    time.sleep(0.2)  # survivors leave by themselves
    alive = [rank for rank, said in ranks.items()
             if rank != FAULTY and rank in expected and is_alive(int(said.get("process", 0)))]
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
    _, pattern, survivors = CASES[case]
    if hung:
        yield f"not over after {LIMIT} s"
    for rank in sorted(survivors):
        said = ranks[rank].get("error after")
        if said is None:
            yield f"rank {rank} saw no error"
            continue
        seconds, message = said.split(" s: ", 1)
        if not re.search(pattern, message):
            yield f"rank {rank}: the error does not match {pattern}: {message}"
        if float(seconds) > TIMEOUT + SLACK:
            yield f"rank {rank}: the error came after {seconds} s"
        later = ranks[rank].get("next call after", "never")
        if case not in UNHARMED and not re.match(r"0\.0\d* s: .*failed before: ", later):
            yield f"rank {rank}: the next call does not fail at once: {later}"
    if pattern == LATE and not any(re.search(NAMES_IT, said.get("error after", "")) for said in ranks.values()):
        yield f"nobody names rank {FAULTY}"
    for rank in range(RANKS):
        if "WRONG DATA" in ranks[rank]:
            yield f"rank {rank}: wrong data"
        if rank in survivors and (case in UNHARMED) != ("next call works" in ranks[rank]):
            yield f"rank {rank}: the next call should {'work' if case in UNHARMED else 'fail'}"
    if alive:
        yield f"ranks {alive} do not leave"


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in SURVIVE:
        sys.exit(__doc__)
    family, program, *launcher = sys.argv[1:]
    failed = 0
    for case, (rows, _, _) in CASES.items():
        begin = time.monotonic()
        ranks, lines, hung, alive = run(case, rows, family, program, launcher)
        print(f"{case} ({rows} rows for each rank), {time.monotonic() - begin:.1f} s")
        for rank, said in ranks.items():
            if "error after" in said:
                print(f"  rank {rank}: error after {said['error after']}")
        wrong = list(faults(case, ranks, hung, alive))
        for line in wrong:
            print(f"  FAILED: {line}")
        if wrong:
            print("  it printed:", *lines, sep="\n    ")
        failed += bool(wrong)
    print(f"{len(CASES) - failed} of {len(CASES)} cases as they should be")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
