# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

option(CAESURA_ENABLE_TESTS "Build the tests (needs GoogleTest)" ${PROJECT_IS_TOP_LEVEL})
option(CAESURA_ENABLE_BENCHMARKS "Build the benchmarks (needs Google Benchmark)" OFF)
option(CAESURA_ENABLE_TOOLS "Build the program caesura (needs CLI11 and nlohmann-json)" ${PROJECT_IS_TOP_LEVEL})
option(CAESURA_CHECKS "Check per-element device data at once, at the price of a synchronization" OFF)
option(CAESURA_WARNINGS_AS_ERRORS "Treat the compiler's warnings as errors" OFF)
set(CAESURA_SANITIZE "" CACHE STRING "Sanitizers of our own targets, as for -fsanitize= (address,undefined or thread)")
# Not for libraries that several builds share through ccache: each build folder has its own precompiled header.
set(CAESURA_PRECOMPILE_HEADERS OFF CACHE STRING "Parse others' headers once for all sources: OFF, TESTS (and the program) or ALL")
set_property(CACHE CAESURA_PRECOMPILE_HEADERS PROPERTY STRINGS OFF TESTS ALL)
set(CMAKE_PCH_WARN_INVALID OFF) # a target with other flags than the header's reads the text
set(CAESURA_UNITY_MODULES "" CACHE STRING "Modules (base, core, comm, nccl) whose sources the compiler gets several at once")
set(CAESURA_CUDA_EXTRA_ARCHITECTURES "" CACHE STRING "CUDA architectures beside the one Kokkos was built for, such as 90")
set(CAESURA_CUDA_ARCHITECTURE "" CACHE STRING "CUDA architecture instead of the one Kokkos was built for, such as 90")

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
  endif()
  find_program(CAESURA_CCACHE ccache)
  mark_as_advanced(CAESURA_CCACHE)
  if(CAESURA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # The dependencies that the compiler lists are all that ccache needs: without DEPEND it preprocesses each source first.
    set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_DEPEND=1;CCACHE_SLOPPINESS=pch_defines,time_macros;${CAESURA_CCACHE}")
  endif()
endif()
