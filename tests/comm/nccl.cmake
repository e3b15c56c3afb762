# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

# On a GPU: one rank, which is all that one GPU can be.
if(CAESURA_ENABLE_NCCL)
  add_executable(comm_nccl_test nccl_test.cpp)
  caesura_target_defaults(comm_nccl_test)
  target_include_directories(comm_nccl_test PRIVATE "${PROJECT_SOURCE_DIR}/comm/src" "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(comm_nccl_test PRIVATE caesura::nccl CUDA::cudart GTest::gtest)
  add_test(NAME comm_nccl_test COMMAND comm_nccl_test)
  # A skipped run is not a passed one. Without a driver, the program does not even load.
  set_tests_properties(comm_nccl_test PROPERTIES LABELS comm TIMEOUT 300 SKIP_REGULAR_EXPRESSION "SKIPPED: no CUDA device;libcuda.so.1: cannot open shared object file")
endif()

# Time-outs, errors and aborts, with an NCCL and a CUDA of the test's own: they need the real ones' headers only, no GPU.
# It is linked to nothing that could bring the real ones in.
find_package(CUDAToolkit QUIET)
find_path(CAESURA_NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
if(CUDAToolkit_FOUND AND CAESURA_NCCL_INCLUDE)
  set(nccl_sources "${PROJECT_SOURCE_DIR}/comm/src/nccl")
  add_executable(comm_nccl_connection_test
    nccl_connection_test.cpp
    nccl_fake.cpp
    "${nccl_sources}/check.cpp"
    "${nccl_sources}/connection.cpp"
    "${nccl_sources}/watch.cpp"
    "${nccl_sources}/work.cpp"
  )
  caesura_target_defaults(comm_nccl_connection_test)
  target_include_directories(comm_nccl_connection_test
    PRIVATE "${PROJECT_SOURCE_DIR}/comm/src" "${PROJECT_SOURCE_DIR}/base/include" "${PROJECT_SOURCE_DIR}/tests")
  target_include_directories(comm_nccl_connection_test
    SYSTEM PRIVATE "${CAESURA_NCCL_INCLUDE}" ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(comm_nccl_connection_test PRIVATE GTest::gtest_main Threads::Threads)
  add_test(NAME comm_nccl_connection_test COMMAND comm_nccl_connection_test)
  set_tests_properties(comm_nccl_connection_test PROPERTIES LABELS comm TIMEOUT 60)
endif()

if(TARGET tests_comm)
  foreach(target comm_nccl_test comm_nccl_connection_test)
    if(TARGET ${target})
      add_dependencies(tests_comm ${target})
    endif()
  endforeach()
endif()
