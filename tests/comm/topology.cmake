# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

caesura_test(topology_test topology_test.cpp)
caesura_test(placement_advice_test placement_advice_test.cpp)
caesura_test(hierarchical_cast_test hierarchical_cast_test.cpp)

# Two hosts made of network namespaces; skipped where the machine does not let us make them.
if(CAESURA_ENABLE_MPI AND NOT CAESURA_SANITIZE)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  caesura_mpi_program(network_cast network_cast.cpp)
  add_test(NAME comm_network_test
    COMMAND Python3::Interpreter "${CMAKE_CURRENT_LIST_DIR}/network_test.py" ${CAESURA_MPI_FAMILY} $<TARGET_FILE:comm_network_cast>
            ${CAESURA_MPIEXEC})
  set_tests_properties(comm_network_test PROPERTIES LABELS mpi TIMEOUT 120 SKIP_RETURN_CODE 77)
endif()
