# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

# What ranks talk through. Each part is AUTO (used where it is found), ON (an error where it is not) or OFF; afterwards
# CAESURA_ENABLE_... says whether it is used.
function(caesura_optional name found why)
  if(CAESURA_ENABLE_${name} STREQUAL "ON" AND NOT found)
    message(FATAL_ERROR "CAESURA_ENABLE_${name} = ON: ${why}")
  endif()
  if(found)
    set(CAESURA_ENABLE_${name} ON PARENT_SCOPE)
  else()
    set(CAESURA_ENABLE_${name} OFF PARENT_SCOPE)
  endif()
endfunction()

foreach(part MPI NCCL HWLOC)
  set(CAESURA_ENABLE_${part} AUTO CACHE STRING "AUTO, ON or OFF")
  set_property(CACHE CAESURA_ENABLE_${part} PROPERTY STRINGS AUTO ON OFF)
endforeach()

if(CAESURA_ENABLE_MPI)
  set(MPI_CXX_SKIP_MPICXX ON) # the C interface only
  # Where several MPIs are installed, the launcher that belongs to mpicxx.mpich is mpiexec.mpich; FindMPI would take
  # whatever is called mpiexec.
  if(MPI_CXX_COMPILER MATCHES "mpi[A-Za-z+]+(\\.[a-z]+)$")
    find_program(MPIEXEC_EXECUTABLE NAMES "mpiexec${CMAKE_MATCH_1}")
  endif()
  find_package(MPI 3.1 QUIET COMPONENTS CXX)
  caesura_optional(MPI "${MPI_CXX_FOUND}" "no MPI 3.1 found: install one, or name its compiler with -DMPI_CXX_COMPILER=...")
endif()
if(CAESURA_ENABLE_MPI)
  # How tests and benchmarks start ranks, also more of them than there are cores. CAESURA_MPI_FAMILY: whose options the
  # launcher takes.
  execute_process(COMMAND "${MPIEXEC_EXECUTABLE}" --version OUTPUT_VARIABLE launcher_version ERROR_QUIET)
  if(launcher_version MATCHES "Open MPI|OpenRTE")
    set(CAESURA_MPI_FAMILY openmpi)
    set(CAESURA_MPIEXEC "${MPIEXEC_EXECUTABLE};--oversubscribe;--bind-to;none")
  else()
    set(CAESURA_MPI_FAMILY mpich)
    set(CAESURA_MPIEXEC "${MPIEXEC_EXECUTABLE};-bind-to;none")
  endif()
  set(CAESURA_MPIEXEC "${CAESURA_MPIEXEC}" CACHE INTERNAL "what starts ranks, with its options")
endif()

if(CAESURA_ENABLE_NCCL)
  if(CAESURA_HAS_CUDA)
    find_package(CUDAToolkit QUIET)
    find_path(CAESURA_NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
    find_library(CAESURA_NCCL_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR})
  endif()
  if(CAESURA_NCCL_INCLUDE AND CAESURA_NCCL_LIBRARY)
    caesura_optional(NCCL ON "")
  else()
    caesura_optional(NCCL OFF "needs a Kokkos with CUDA, nccl.h and libnccl")
  endif()
endif()

if(CAESURA_ENABLE_HWLOC)
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(CAESURA_HWLOC QUIET IMPORTED_TARGET hwloc)
  endif()
  caesura_optional(HWLOC "${CAESURA_HWLOC_FOUND}" "pkg-config finds no hwloc")
endif()
