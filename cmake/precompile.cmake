# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

# nvcc takes no precompiled header, and reads everything once for each architecture: sources behind each other are read together.
foreach(module IN LISTS CAESURA_UNITY_MODULES)
  if(TARGET caesura_${module}) # nccl need not be there
    set_target_properties(caesura_${module} PROPERTIES UNITY_BUILD ON)
  endif()
endforeach()

# Headers that nearly every source reads, parsed once. Others' headers alone: with ours among them, a change of one would compile
# everything again.
if(CAESURA_PRECOMPILE_HEADERS AND CAESURA_HAS_CUDA)
  message(FATAL_ERROR "CAESURA_PRECOMPILE_HEADERS = ${CAESURA_PRECOMPILE_HEADERS}: must be OFF where nvcc compiles")
endif()

# caesura_precompiled_headers(TARGET HEADER...): what other targets name behind REUSE_FROM.
function(caesura_precompiled_headers target)
  file(CONFIGURE OUTPUT ${target}.cpp CONTENT "")
  add_library(${target} OBJECT "${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp")
  target_link_libraries(${target} PRIVATE Kokkos::kokkos)
  target_precompile_headers(${target} PRIVATE <Kokkos_Core.hpp> <algorithm> <functional> <map> <optional> <sstream> <string> <vector> ${ARGN})
endfunction()

if(CAESURA_PRECOMPILE_HEADERS STREQUAL "ALL")
  caesura_precompiled_headers(caesura_precompiled)
  caesura_target_defaults(caesura_precompiled)
  foreach(module base core backends solver comm distributed)
    target_precompile_headers(caesura_${module} REUSE_FROM caesura_precompiled)
  endforeach()
endif()
