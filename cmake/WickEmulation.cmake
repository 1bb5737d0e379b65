# The CUDA kernels compiled for the CPU, with tests/simt in the place of the GPU and its libraries.
# Variants: fast (by the host compiler, whatever CMAKE_CXX_FLAGS say: optimised, sanitized, counted)
# and check (by clang, with every access of a kernel reported to tests/simt/checker.cpp).
if(NOT WICK_EMULATED AND NOT WICK_EMULATION)
  return()
endif()
if(NOT WICK_WITH_CUDA)
  message(FATAL_ERROR "wick: WICK_EMULATION needs WICK_CUDA=ON or EMULATED")
endif()
if(BUILD_SHARED_LIBS)
  message(FATAL_ERROR "wick: the emulation is for static builds")
endif()

# Only the toolkit's headers: neither nvcc nor a library of it is used.
find_path(WICK_CUDA_HEADERS cuda_runtime_api.h HINTS ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} ENV CUDA_PATH ENV CUDA_HOME
          PATHS /usr/local/cuda PATH_SUFFIXES include)
mark_as_advanced(WICK_CUDA_HEADERS)
if(NOT WICK_CUDA_HEADERS)
  message(FATAL_ERROR "wick: the emulation needs the CUDA Toolkit's headers; set WICK_CUDA_HEADERS to their folder")
endif()
find_path(WICK_CUDNN_HEADERS cudnn.h HINTS "${WICK_CUDA_HEADERS}")
mark_as_advanced(WICK_CUDNN_HEADERS)
if(NOT WICK_CUDNN_HEADERS)
  message(FATAL_ERROR "wick: the emulation needs cuDNN's headers; set WICK_CUDNN_HEADERS to their folder")
endif()
if("check" IN_LIST WICK_EMULATION)
  find_program(WICK_CLANG NAMES clang++ clang++-14)
  mark_as_advanced(WICK_CLANG)
  if(NOT WICK_CLANG)
    message(FATAL_ERROR "wick: the emulation's check variant needs clang++ (g++ 12 overlooks some accesses)")
  endif()
endif()

set(WICK_EMULATION_DIR "${PROJECT_BINARY_DIR}/emulation")
file(MAKE_DIRECTORY "${WICK_EMULATION_DIR}/include/wick")
file(CREATE_LINK "${PROJECT_SOURCE_DIR}/tests/simt" "${WICK_EMULATION_DIR}/include/wick/simt" SYMBOLIC)
set(WICK_EMULATION_DEFINITIONS WICK_SIMT WICK_WITH_CUDA WICK_STATIC)
# Kernels say `#pragma unroll`; the toolkit's headers keep old names for what they replaced.
set(WICK_EMULATION_OPTIONS -ffp-contract=off -Wno-unknown-pragmas)

# wick_emulated_sources(<variant> <out> <source>...): objects of kernel files. A file has one language
# in a folder, so the host compiler is given one that includes it.
function(wick_emulated_sources variant out)
  set(${out} "" PARENT_SCOPE)
  if(NOT ARGN)
    return()
  endif()
  set(wrappers "")
  foreach(source ${ARGN})
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE name)
    string(MAKE_C_IDENTIFIER "${name}" stem)
    set(wrapper "${WICK_EMULATION_DIR}/${stem}.cpp")
    file(CONFIGURE OUTPUT "${wrapper}" CONTENT "#include <${name}>\n")
    list(APPEND wrappers "${wrapper}")
  endforeach()
  if(variant STREQUAL "check")
    wick_checked_sources(objects ${wrappers})
  else()
    string(MD5 hash "${ARGN}")
    set(target wick_emulated_${hash})
    add_library(${target} OBJECT ${wrappers})
    wick_emulation_options(${target})
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
    set(objects $<TARGET_OBJECTS:${target}>)
  endif()
  set(${out} ${objects} PARENT_SCOPE)
endfunction()

# wick_emulation_options(<target>): for files that see the emulation or are part of it.
function(wick_emulation_options target)
  wick_compile_options(${target})
  target_compile_definitions(${target} PRIVATE ${WICK_EMULATION_DEFINITIONS})
  target_compile_options(${target} PRIVATE ${WICK_EMULATION_OPTIONS})
  target_include_directories(${target} PRIVATE "${WICK_INCLUDE_DIR}" "${WICK_EMULATION_DIR}/include"
                                               "${PROJECT_SOURCE_DIR}")
  target_include_directories(${target} SYSTEM PRIVATE "${WICK_CUDA_HEADERS}")
endfunction()

# One tree has one C++ compiler, so clang is called by hand. Its instrumentation calls functions
# that the emulation defines: nothing is linked.
function(wick_checked_sources out)
  set(includes "")
  foreach(folder "${WICK_INCLUDE_DIR}" "${WICK_EMULATION_DIR}/include" "${PROJECT_SOURCE_DIR}")
    list(APPEND includes "-I${folder}")
  endforeach()
  set(definitions ${WICK_EMULATION_DEFINITIONS})
  list(TRANSFORM definitions PREPEND "-D")
  # Of `y += x` the read counts, too (clang leaves it out); entries of functions do not.
  set(instrument -fsanitize=thread -mllvm -tsan-instrument-read-before-write=1 -mllvm
                 -tsan-instrument-func-entry-exit=0)
  set(objects "")
  foreach(source ${ARGN})
    cmake_path(GET source STEM stem)
    set(object "${WICK_EMULATION_DIR}/check/${stem}.o")
    add_custom_command(
      OUTPUT "${object}"
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} "${WICK_CLANG}" -std=c++20 -O1 -g1 -fPIC ${instrument} -Wall -Wextra -Werror
              ${definitions} ${includes} -isystem "${WICK_CUDA_HEADERS}" ${WICK_EMULATION_OPTIONS} -MD -MF
              "${object}.d" -c "${source}" -o "${object}"
      DEPENDS "${source}"
      DEPFILE "${object}.d"
      COMMENT "Building instrumented ${stem}.o"
      VERBATIM)
    list(APPEND objects "${object}")
  endforeach()
  file(MAKE_DIRECTORY "${WICK_EMULATION_DIR}/check")
  set(${out} ${objects} PARENT_SCOPE)
endfunction()

# wick_emulated_objects(<variant> <out>): what stands for wick's CUDA side and the GPU in this variant.
function(wick_emulated_objects variant out)
  set(kernels ${WICK_CUDA_SOURCES})
  list(FILTER kernels INCLUDE REGEX "\\.cu$")
  wick_emulated_sources(${variant} objects ${kernels})
  if(NOT TARGET wick_emulator)
    set(host ${WICK_CUDA_SOURCES})
    list(FILTER host INCLUDE REGEX "\\.cpp$")
    add_library(wick_emulated_host OBJECT ${host})
    wick_emulation_options(wick_emulated_host)
    target_link_libraries(wick_emulated_host PRIVATE ${WICK_LINKED})
    file(GLOB emulator CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/simt/*.cpp")
    list(FILTER emulator EXCLUDE REGEX "_test\\.cpp$")
    add_library(wick_emulator OBJECT ${emulator})
    wick_emulation_options(wick_emulator)
    # Every access of a checked kernel goes through it.
    target_compile_options(wick_emulator PRIVATE -O2 -g1)
  endif()
  set(${out} ${objects} $<TARGET_OBJECTS:wick_emulated_host> $<TARGET_OBJECTS:wick_emulator> PARENT_SCOPE)
endfunction()
