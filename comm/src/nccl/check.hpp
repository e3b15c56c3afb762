// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>
#include <nccl/work.hpp>

#include <string>

namespace caesura::comm::impl {

/// What \p call said, with what it was for: `all_gather: rank 0: ...: ncclGroupEnd: unhandled cuda error: ...`.
/// \p comm may be null; otherwise NCCL's own last words about it follow.
std::string nccl_words(ncclResult_t code, const NcclWork& work, const char* call, ncclComm_t comm);

/// Every return code of CUDA passes through here.
/// \throws Error (communication) with call, text and rank unless all is well
void cuda_check(cudaError_t code, const NcclWork& work, const char* call);

}  // namespace caesura::comm::impl
