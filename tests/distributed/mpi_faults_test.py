#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Kills one of 4 ranks in the middle of a step of distributed attention, and checks that every other one gets an error in time.

    mpi_faults_test.py openmpi|mpich PROGRAM LAUNCHER...

PROGRAM is distributed_mpi_faults, LAUNCHER mpiexec with its options.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from mpi_faults import Case, late, main

CASES = [Case(what, [exchange, level], late("RowExchange"), {0, 2, 3}, says="dies in")
         for what, exchange, level in (("forward", "zero_redundancy", "serialized"),
                                       ("forward", "zero_redundancy", "funneled"),
                                       ("forward", "hierarchical", "serialized"),
                                       ("forward", "ring", "serialized"),
                                       ("backward", "ring", "serialized"),
                                       ("backward", "zero_redundancy", "funneled"))]

if __name__ == "__main__":
    main(CASES, __doc__)
