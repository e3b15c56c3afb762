# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

# An installed Kokkos comes first (CMAKE_PREFIX_PATH, Kokkos_ROOT, the system's); PATHS are looked at last.
find_package(Kokkos 4.7 CONFIG QUIET PATHS "${PROJECT_SOURCE_DIR}/.deps/kokkos-host")
if(NOT Kokkos_FOUND)
  message(FATAL_ERROR "Kokkos 4.7 or newer: not found: run scripts/get_kokkos, or name an installed one with -DKokkos_ROOT=PREFIX")
endif()

string(TOUPPER "${Kokkos_DEVICES}" CAESURA_SPACES)
if("CUDA" IN_LIST CAESURA_SPACES)
  set(CAESURA_HAS_CUDA ON)
else()
  set(CAESURA_HAS_CUDA OFF)
endif()

# Another architecture than the one that Kokkos was built for, in its place: the machine's own, say, where there is a GPU. What
# is in Kokkos' library itself the driver compiles when a program starts.
if(CAESURA_HAS_CUDA AND CAESURA_CUDA_ARCHITECTURE)
  foreach(property INTERFACE_COMPILE_OPTIONS INTERFACE_LINK_OPTIONS)
    get_target_property(options Kokkos::kokkoscore ${property})
    string(REGEX REPLACE "-arch=sm_[0-9]+" "-arch=sm_${CAESURA_CUDA_ARCHITECTURE}" options "${options}")
    set_target_properties(Kokkos::kokkoscore PROPERTIES ${property} "${options}")
  endforeach()
endif()
if(CAESURA_HAS_CUDA)
  get_target_property(options Kokkos::kokkoscore INTERFACE_COMPILE_OPTIONS)
  string(REGEX MATCH "-arch=sm_([0-9]+)" option "${options}")
  set(CAESURA_CUDA_MAIN_ARCHITECTURE "${CMAKE_MATCH_1}")
endif()
