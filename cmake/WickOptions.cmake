# How wick's own files are compiled. None of it reaches a program that links wick.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)  # so that a static wick can go into a shared library
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  find_program(WICK_CCACHE ccache)
  mark_as_advanced(WICK_CCACHE)
  if(WICK_CCACHE)
    foreach(language CXX CUDA)
      if(NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
        set(CMAKE_${language}_COMPILER_LAUNCHER "${WICK_CCACHE}")
      endif()
    endforeach()
  endif()
endif()

# wick_compile_options(<target>): warnings, and no contraction of a * b + c behind the author's back
# (results are the same bits on every machine; a fused multiply-add is written out where wanted).
function(wick_compile_options target)
  set(warnings -Wall -Wextra)
  if(PROJECT_IS_TOP_LEVEL)
    list(APPEND warnings -Werror)
  endif()
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${warnings};-ffp-contract=off>)
  if(WICK_WITH_CUDA AND NOT WICK_EMULATED)
    list(JOIN warnings "," host_warnings)
    target_compile_options(
      ${target}
      PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-Xcompiler=${host_warnings},-ffp-contract=off>"
              "$<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${PROJECT_IS_TOP_LEVEL}>>:SHELL:-Werror all-warnings>")
  endif()
endfunction()
