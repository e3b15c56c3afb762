// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <Kokkos_Core.hpp>

#include <concepts>

namespace caesura {

template <class Space, class... Enabled>
concept one_of = (std::same_as<Space, Enabled> || ...);

/// An execution space that this build of the library was compiled for: those that the installed Kokkos has.
template <class Space>
concept ExecutionSpace = Kokkos::is_execution_space_v<Space> && one_of<Space
#ifdef KOKKOS_ENABLE_SERIAL
                                                                       ,
                                                                       Kokkos::Serial
#endif
#ifdef KOKKOS_ENABLE_OPENMP
                                                                       ,
                                                                       Kokkos::OpenMP
#endif
#ifdef KOKKOS_ENABLE_THREADS
                                                                       ,
                                                                       Kokkos::Threads
#endif
#ifdef KOKKOS_ENABLE_CUDA
                                                                       ,
                                                                       Kokkos::Cuda
#endif
                                                                       >;

}  // namespace caesura

// Instantiates MACRO(Space) for each of them; used by the library's sources only.
#ifdef KOKKOS_ENABLE_SERIAL
#define CAESURA_FOR_SERIAL(MACRO) MACRO(Kokkos::Serial)
#else
#define CAESURA_FOR_SERIAL(MACRO)
#endif
#ifdef KOKKOS_ENABLE_OPENMP
#define CAESURA_FOR_OPENMP(MACRO) MACRO(Kokkos::OpenMP)
#else
#define CAESURA_FOR_OPENMP(MACRO)
#endif
#ifdef KOKKOS_ENABLE_THREADS
#define CAESURA_FOR_THREADS(MACRO) MACRO(Kokkos::Threads)
#else
#define CAESURA_FOR_THREADS(MACRO)
#endif
#ifdef KOKKOS_ENABLE_CUDA
#define CAESURA_FOR_CUDA(MACRO) MACRO(Kokkos::Cuda)
#else
#define CAESURA_FOR_CUDA(MACRO)
#endif
#define CAESURA_FOR_EACH_SPACE(MACRO) \
  CAESURA_FOR_SERIAL(MACRO) CAESURA_FOR_OPENMP(MACRO) CAESURA_FOR_THREADS(MACRO) CAESURA_FOR_CUDA(MACRO)
