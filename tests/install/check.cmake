# Installs a built wick into a folder of its own, builds the program beside this file against it, and
# runs it. cmake -DBUILD=<wick's build folder> -DWORK=<scratch folder> -P check.cmake
cmake_path(ABSOLUTE_PATH BUILD)
cmake_path(ABSOLUTE_PATH WORK)
file(REMOVE_RECURSE "${WORK}")
load_cache("${BUILD}" READ_WITH_PREFIX WICK_ CMAKE_CXX_COMPILER CMAKE_CXX_FLAGS CMAKE_GENERATOR)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
endfunction()

run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK}/build" -G "${WICK_CMAKE_GENERATOR}"
    "-DCMAKE_PREFIX_PATH=${WORK}/prefix" "-DCMAKE_CXX_COMPILER=${WICK_CMAKE_CXX_COMPILER}"
    "-DCMAKE_CXX_FLAGS=${WICK_CMAKE_CXX_FLAGS}" -DCMAKE_FIND_PACKAGE_NO_PACKAGE_REGISTRY=ON)
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/consumer" "${WORK}")
