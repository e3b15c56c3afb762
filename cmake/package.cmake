# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0

# The installed package: find_package(caesura COMPONENTS core solver). caesura::caesura is all of it; caesura::solver alone
# plans without kernels.
include(CMakePackageConfigHelpers)

set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/caesura")
install(TARGETS caesura EXPORT caesura-targets)
install(EXPORT caesura-targets NAMESPACE caesura:: DESTINATION "${package_folder}")
configure_package_config_file(cmake/caesura-config.cmake.in "${PROJECT_BINARY_DIR}/caesura-config.cmake"
                              INSTALL_DESTINATION "${package_folder}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/caesura-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/caesura-config.cmake" "${PROJECT_BINARY_DIR}/caesura-config-version.cmake"
        DESTINATION "${package_folder}")
