# wick_add_suites(<executable> NAME name TIMEOUT s LABELS label... ENVIRONMENT name=value... FILTER regex
# EXCLUDE regex): one ctest entry for each suite (that matches FILTER and not EXCLUDE) of a GoogleTest program. A process for
# each single test would spend most of its time starting.
set(WICK_SUITES_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/WickSuitesAtTestTime.cmake")
function(wick_add_suites executable)
  cmake_parse_arguments(arg "" "TIMEOUT;NAME;FILTER;EXCLUDE" "LABELS;ENVIRONMENT" ${ARGN})
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}_suites.cmake")
  file(
    GENERATE
    OUTPUT "${script}"
    CONTENT
      "set(executable \"$<TARGET_FILE:${executable}>\")
set(name \"${arg_NAME}\")
set(folder \"${CMAKE_CURRENT_BINARY_DIR}\")
set(timeout ${arg_TIMEOUT})
set(filter \"${arg_FILTER}\")
set(exclude \"${arg_EXCLUDE}\")
set(labels \"${arg_LABELS}\")
set(environment \"${arg_ENVIRONMENT}\")
include(\"${WICK_SUITES_SCRIPT}\")
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${script}")
endfunction()
