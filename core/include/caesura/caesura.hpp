// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

// Everything a single-machine user needs.
#include <caesura/attention.hpp>
#include <caesura/attention_plan.hpp>
#include <caesura/batch.hpp>
#include <caesura/documents.hpp>
#include <caesura/error.hpp>
#include <caesura/kernels.hpp>
#include <caesura/mask.hpp>
#include <caesura/scalar.hpp>
