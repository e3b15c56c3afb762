#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Lets one rank of real MPI processes fail, and checks what every other rank says and after how long.

    mpi_faults_test.py openmpi|mpich PROGRAM LAUNCHER...

PROGRAM is comm_mpi_faults, LAUNCHER mpiexec with its options.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from mpi_faults import FAULTY, RANKS, Case, late, main

ALL_BUT_ONE = {0, 2, 3}
LATE = late("all_to_all_v")

CASES = [
    Case("die", ["10"], LATE, ALL_BUT_ONE),
    Case("die", ["10000"], LATE, ALL_BUT_ONE),
    Case("leave", ["10"], LATE, ALL_BUT_ONE),
    Case("stop", ["10"], LATE, ALL_BUT_ONE),
    Case("stop", ["10000"], LATE, ALL_BUT_ONE),
    Case("wrong_count", ["10"], rf"all_to_all_v: rank 2 of {RANKS}: rank {FAULTY} sent 2304 bytes where 2560 were expected", {2}),
    # No data has moved: the next call, with the right counts, works.
    Case("wrong_count_checked", ["10"], rf"all_to_all_v: rank {FAULTY} sends 2304 bytes to rank 2, which expects 2560", {0, 1, 2, 3},
         unharmed=True),
]

if __name__ == "__main__":
    main(CASES, __doc__)
