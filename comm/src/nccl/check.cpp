// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>

#include <nccl/check.hpp>

namespace caesura::comm::impl {

std::string nccl_words(ncclResult_t code, const NcclWork& work, const char* call, ncclComm_t comm) {
  std::string words = text(work.text(), ": ", call, ": ", ncclGetErrorString(code));
  if (const char* last = ncclGetLastError(comm); last && *last) words += text(": ", last);
  return words;
}

void cuda_check(cudaError_t code, const NcclWork& work, const char* call) {
  require(
      code == cudaSuccess, [&] { return text(work.text(), ": ", call, ": ", cudaGetErrorString(code)); },
      ErrorKind::communication);
}

}  // namespace caesura::comm::impl
