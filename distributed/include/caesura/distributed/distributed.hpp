// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/distributed/cluster_of.hpp>
#include <caesura/distributed/distribute.hpp>
#include <caesura/distributed/distributed_attention.hpp>
#include <caesura/distributed/kv_buffer.hpp>
#include <caesura/distributed/mesh_share.hpp>
