# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

# The installed package: find_package(caesura COMPONENTS core solver comm distributed mpi nccl). caesura::caesura is all of it but mpi
# and nccl, which are there if the library was built with them and have to be asked for; caesura::solver alone plans
# without kernels, caesura::comm alone exchanges rows.
include(CMakePackageConfigHelpers)

set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/caesura")
install(TARGETS caesura EXPORT caesura-targets)
install(EXPORT caesura-targets NAMESPACE caesura:: DESTINATION "${package_folder}")
set(caesura_components core solver comm distributed)
foreach(part mpi nccl)
  string(TOUPPER ${part} PART)
  if(CAESURA_ENABLE_${PART})
    list(APPEND caesura_components ${part})
    install(EXPORT caesura-${part}-targets NAMESPACE caesura:: DESTINATION "${package_folder}")
  endif()
endforeach()
list(JOIN caesura_components " " caesura_components)
configure_package_config_file(cmake/caesura-config.cmake.in "${PROJECT_BINARY_DIR}/caesura-config.cmake"
                              INSTALL_DESTINATION "${package_folder}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/caesura-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/caesura-config.cmake" "${PROJECT_BINARY_DIR}/caesura-config-version.cmake"
        DESTINATION "${package_folder}")
