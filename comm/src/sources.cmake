# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

target_sources(caesura_comm PRIVATE
  src/all_gather.cpp
  src/all_reduce.cpp
  src/all_to_all.cpp
  src/barrier.cpp
  src/binding.cpp
  src/checks.cpp
  src/communicator.cpp
  src/copy_rows.cpp
  src/exchange.cpp
  src/exchange_lists.cpp
  src/group_cast.cpp
  src/group_reduce.cpp
  src/group_splits.cpp
  src/hierarchical_cast.cpp
  src/instance.cpp
  src/memory.cpp
  src/merge_plan.cpp
  src/merge_rows.cpp
  src/placement_advice.cpp
  src/plan.cpp
  src/reduce_rows.cpp
  src/reduce_scatter.cpp
  src/reduction.cpp
  src/ring.cpp
  src/row_exchange.cpp
  src/row_layout.cpp
  src/rows.cpp
  src/topology.cpp
  src/transport.cpp
  src/in_process/in_process.cpp
  src/in_process/transfer.cpp
  src/in_process/transport.cpp
  src/in_process/world.cpp
)
