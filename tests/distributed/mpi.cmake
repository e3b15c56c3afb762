# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

add_executable(distributed_mpi_test mpi_test.cpp)
add_executable(distributed_mpi_faults mpi_faults.cpp)
foreach(program distributed_mpi_test distributed_mpi_faults)
  caesura_test_defaults(${program})
  target_link_libraries(${program} PRIVATE comm_mpi_main caesura_distributed_test_support) # the first one's main function
  add_dependencies(tests_mpi ${program})
endforeach()

# distributed_mpi_run(RANKS LEVEL): LEVEL is what MPI is asked for. With `funneled` the rank's own thread transfers, with
# `serialized` one beside it.
function(distributed_mpi_run ranks level)
  set(test distributed_mpi_test_${ranks}_${level})
  add_test(NAME ${test} COMMAND ${CAESURA_MPIEXEC} -n ${ranks} $<TARGET_FILE:distributed_mpi_test>)
  set_tests_properties(${test} PROPERTIES
    LABELS mpi TIMEOUT 300 PROCESSORS 2 ENVIRONMENT "${mpi_environment};CAESURA_TEST_NAME=${test};CAESURA_MPI_LEVEL=${level}")
endfunction()

distributed_mpi_run(2 serialized)
distributed_mpi_run(3 funneled)
distributed_mpi_run(4 serialized)

find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME distributed_mpi_faults_test
  COMMAND Python3::Interpreter "${CMAKE_CURRENT_LIST_DIR}/mpi_faults_test.py" ${CAESURA_MPI_FAMILY} $<TARGET_FILE:distributed_mpi_faults>
          ${CAESURA_MPIEXEC})
set_tests_properties(distributed_mpi_faults_test PROPERTIES
  LABELS mpi TIMEOUT 300 PROCESSORS 2 ENVIRONMENT "${mpi_environment}")
