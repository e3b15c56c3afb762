# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

# What all of our targets share. Everything is PRIVATE: nothing of it reaches a user of the library.
function(caesura_target_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)

  set(warnings -Wall -Wextra -Wshadow)
  if(CAESURA_HAS_CUDA)
    # The host compiler sees nvcc's rewritten code: its pedantic remarks are not about ours.
    # nvcc_wrapper knows one architecture, the one of Kokkos; nvcc learns of the others through its own variable.
    # A newer one takes the PTX of the main one, which takes as long to make as the code: but for what is in that one alone (90a).
    foreach(architecture IN LISTS CAESURA_CUDA_EXTRA_ARCHITECTURES)
      set(virtual ${architecture})
      if(architecture MATCHES "^[0-9]+$" AND architecture GREATER "${CAESURA_CUDA_MAIN_ARCHITECTURE}")
        set(virtual ${CAESURA_CUDA_MAIN_ARCHITECTURE})
      endif()
      string(APPEND generate "--generate-code=arch=compute_${virtual},code=sm_${architecture} ")
      string(APPEND namespace "+${virtual}-${architecture}")
    endforeach()
    # ccache, if it is there at all, does not look at that variable: without a name of their own, other architectures' objects come back.
    set(launcher "${CMAKE_COMMAND}" -E env "NVCC_APPEND_FLAGS=${generate}" "CCACHE_NAMESPACE=nvcc${namespace}" ${CMAKE_CXX_COMPILER_LAUNCHER})
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER "${launcher}")
  else()
    list(APPEND warnings -Wpedantic -Wconversion)
    if(CAESURA_WARNINGS_AS_ERRORS)
      list(APPEND warnings -Werror)
    endif()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND warnings -Wno-restrict) # false alarms inside std::string (GCC bug 105651)
  endif()
  target_compile_options(${target} PRIVATE ${warnings})

  if(CAESURA_SANITIZE)
    target_compile_options(${target} PRIVATE "-fsanitize=${CAESURA_SANITIZE}" -fno-omit-frame-pointer -fno-sanitize-recover=all)
    if(CAESURA_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -Wno-tsan) # fences inside Kokkos: a warning about them helps nobody here
    endif()
    target_link_options(${target} PRIVATE "-fsanitize=${CAESURA_SANITIZE}")
  endif()
endfunction()

# As above, for what only tests are made of.
function(caesura_test_defaults target)
  caesura_target_defaults(${target})
  target_compile_options(${target} PRIVATE -O1) # a third less to compile; what is tested is in the libraries
  if(CAESURA_SANITIZE MATCHES "undefined")
    target_compile_options(${target} PRIVATE -fno-sanitize=undefined) # for the same reason: it is half of the time
  endif()
  if(TARGET caesura_precompiled_tests AND NOT target STREQUAL "caesura_precompiled_tests")
    target_precompile_headers(${target} REUSE_FROM caesura_precompiled_tests)
  endif()
endfunction()

# caesura_test(NAME SOURCE...): a GoogleTest program, one ctest entry, labelled with its folder's name, with which the
# target tests_LABEL builds all of them and caesura_LABEL_test_support is what they share.
function(caesura_test name)
  get_filename_component(label "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
  set(target "${label}_${name}")
  add_executable(${target} ${ARGN})
  caesura_test_defaults(${target})
  target_link_libraries(${target} PRIVATE caesura_${label}_test_support)
  if(NOT TARGET tests_${label})
    add_custom_target(tests_${label})
  endif()
  add_dependencies(tests_${label} ${target})
  add_test(NAME ${target} COMMAND ${target})
  set_tests_properties(${target} PROPERTIES LABELS "${label}" TIMEOUT 900)
endfunction()

# caesura_bench(NAME SOURCE...): a Google Benchmark program.
function(caesura_bench name)
  add_executable(${name} ${ARGN})
  caesura_target_defaults(${name})
  target_link_libraries(${name} PRIVATE caesura_bench_support)
endfunction()
