# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

option(CAESURA_ENABLE_TESTS "Build the tests (needs GoogleTest)" ${PROJECT_IS_TOP_LEVEL})
option(CAESURA_ENABLE_BENCHMARKS "Build the benchmarks (needs Google Benchmark)" OFF)
option(CAESURA_ENABLE_TOOLS "Build the program caesura (needs CLI11 and nlohmann-json)" ${PROJECT_IS_TOP_LEVEL})
option(CAESURA_CHECKS "Check per-element device data at once, at the price of a synchronization" OFF)
option(CAESURA_WARNINGS_AS_ERRORS "Treat the compiler's warnings as errors" OFF)
set(CAESURA_SANITIZE "" CACHE STRING "Sanitizers of our own targets, as for -fsanitize= (address,undefined or thread)")
set(CAESURA_CUDA_EXTRA_ARCHITECTURES "" CACHE STRING "CUDA architectures beside the one Kokkos was built for, such as 90")

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
  endif()
  find_program(CAESURA_CCACHE ccache)
  mark_as_advanced(CAESURA_CCACHE)
  if(CAESURA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CAESURA_CCACHE}")
  endif()
endif()
