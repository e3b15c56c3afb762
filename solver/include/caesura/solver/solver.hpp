// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

// Everything that planning needs.
#include <caesura/documents.hpp>
#include <caesura/error.hpp>
#include <caesura/mask.hpp>
#include <caesura/solver/cluster.hpp>
#include <caesura/solver/dispatch.hpp>
#include <caesura/solver/exchange.hpp>
#include <caesura/solver/options.hpp>
#include <caesura/solver/placement.hpp>
#include <caesura/solver/plan.hpp>
#include <caesura/solver/plan_cache.hpp>
#include <caesura/solver/plan_json.hpp>
#include <caesura/solver/range_set.hpp>
#include <caesura/solver/simulate.hpp>
#include <caesura/solver/strategy.hpp>
#include <caesura/solver/workload.hpp>
