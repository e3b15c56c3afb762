// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/communicator.hpp>
#include <caesura/comm/group.hpp>
#include <caesura/comm/hierarchical_cast.hpp>
#include <caesura/comm/in_process.hpp>
#include <caesura/comm/placement_advice.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/comm/request.hpp>
#include <caesura/comm/ring.hpp>
#include <caesura/comm/row_exchange.hpp>
#include <caesura/comm/rows.hpp>
#include <caesura/comm/topology.hpp>

// mpi.hpp and nccl.hpp need the headers of MPI and NCCL; include them where they are used.
