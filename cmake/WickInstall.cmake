# install, and find_package(wick CONFIG) afterwards.
include(CMakePackageConfigHelpers)

set(cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/wick")
set(WICK_INSTALL_NEEDS_DEPENDENCIES TRUE)
if(BUILD_SHARED_LIBS)
  set(WICK_INSTALL_NEEDS_DEPENDENCIES FALSE)
endif()

install(TARGETS wick EXPORT wickTargets)
foreach(folder ${WICK_PUBLIC_FOLDERS})
  install(DIRECTORY ${folder}/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/wick/${folder}"
          FILES_MATCHING PATTERN "*.h")
endforeach()
# Public headers take lists and plain structs from here; what a device does stays inside.
install(DIRECTORY kernels/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/wick/kernels"
        FILES_MATCHING PATTERN "*.h" PATTERN cpu EXCLUDE PATTERN cuda EXCLUDE)
install(FILES wick.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/wick")
install(FILES LICENSE THIRD_PARTY_NOTICES.md DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(EXPORT wickTargets NAMESPACE wick:: DESTINATION "${cmake_dir}")

configure_package_config_file(cmake/wickConfig.cmake.in wickConfig.cmake INSTALL_DESTINATION "${cmake_dir}")
write_basic_package_version_file(wickConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/wickConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/wickConfigVersion.cmake"
              cmake/WickDependencies.cmake DESTINATION "${cmake_dir}")
