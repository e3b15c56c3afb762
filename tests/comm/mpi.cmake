# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

# What runs under mpirun. The target tests_mpi builds all of it; ctest's label is mpi.
if(NOT CAESURA_ENABLE_MPI OR CAESURA_SANITIZE) # the MPI libraries' own leaks and races would drown ours
  return()
endif()

add_custom_target(tests_mpi)

# The main function of those that have none of their own.
add_library(comm_mpi_main STATIC mpi_main.cpp)
target_include_directories(comm_mpi_main PUBLIC "${PROJECT_SOURCE_DIR}/tests")
target_link_libraries(comm_mpi_main PUBLIC caesura::mpi GTest::gtest)
caesura_test_defaults(comm_mpi_main)

# caesura_mpi_program(NAME SOURCE...): of the communication layer and MPI alone, so that a second MPI is cheap to test.
function(caesura_mpi_program name)
  add_executable(comm_${name} ${ARGN})
  caesura_test_defaults(comm_${name})
  target_include_directories(comm_${name} PRIVATE "${PROJECT_SOURCE_DIR}/comm/src")
  target_link_libraries(comm_${name} PRIVATE comm_mpi_main)
  add_dependencies(tests_mpi comm_${name})
endfunction()

# caesura_mpi_test(NAME RANKS...): a program on so many ranks, one ctest entry each.
function(caesura_mpi_test name)
  foreach(ranks IN LISTS ARGN)
    set(test comm_${name}_${ranks})
    add_test(NAME ${test} COMMAND ${CAESURA_MPIEXEC} -n ${ranks} $<TARGET_FILE:comm_${name}>)
    set_tests_properties(${test} PROPERTIES
      LABELS mpi TIMEOUT 300 ENVIRONMENT "${mpi_environment};CAESURA_TEST_NAME=${test}")
  endforeach()
endfunction()

caesura_mpi_program(mpi_contract_test mpi_ranks.cpp $<TARGET_OBJECTS:comm_contract>)
caesura_mpi_test(mpi_contract_test 1 2 3 4 8)

caesura_mpi_program(mpi_transport_test mpi_transport_test.cpp)
caesura_mpi_test(mpi_transport_test 1 2 3 8)

# Below the level that a communicator needs.
caesura_mpi_program(mpi_level_test mpi_level_test.cpp)
foreach(case Single Funneled)
  string(TOLOWER ${case} level)
  set(test comm_mpi_level_${level}_test)
  add_test(NAME ${test} COMMAND ${CAESURA_MPIEXEC} -n 1 $<TARGET_FILE:comm_mpi_level_test> --gtest_filter=MpiLevel.${case}*)
  set_tests_properties(${test} PROPERTIES
    LABELS mpi TIMEOUT 60 ENVIRONMENT "${mpi_environment};CAESURA_TEST_NAME=${test};CAESURA_MPI_LEVEL=${level}")
endforeach()

find_package(Python3 REQUIRED COMPONENTS Interpreter)
caesura_mpi_program(mpi_faults mpi_faults.cpp)
add_test(NAME comm_mpi_faults_test
  COMMAND Python3::Interpreter "${CMAKE_CURRENT_LIST_DIR}/mpi_faults_test.py" ${CAESURA_MPI_FAMILY} $<TARGET_FILE:comm_mpi_faults>
          ${CAESURA_MPIEXEC})
set_tests_properties(comm_mpi_faults_test PROPERTIES LABELS mpi TIMEOUT 300 ENVIRONMENT "${mpi_environment}")
