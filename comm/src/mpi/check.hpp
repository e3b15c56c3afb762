// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>
#include <string_view>

namespace caesura::comm::impl {

/// MPI's own words for a return code.
std::string mpi_words(int code);

/// Every return code of MPI passes through here, or through `MpiGroup::check`, which ends in the same text.
/// \throws Error (communication) that names \p operation, \p call, MPI's words and the rank, unless all is well
void mpi_check(int code, std::string_view operation, std::string_view call, int rank);

}  // namespace caesura::comm::impl
