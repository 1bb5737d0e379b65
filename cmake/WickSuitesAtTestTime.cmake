# Run by ctest: asks the program for its suites, so that the list is always that of the program as
# built. A program that is missing or cannot list its tests is a test that fails.
if(NOT EXISTS "${executable}")
  add_test(${name}_NOT_BUILT "${executable}")
  return()
endif()
execute_process(
  COMMAND "${executable}" --gtest_list_tests
  OUTPUT_VARIABLE listed
  RESULT_VARIABLE result
  TIMEOUT 60)
string(REGEX MATCHALL "(^|\n)[^ \n][^ \n]*\\.(\n|  #)" lines "${listed}")
if(NOT result EQUAL 0 OR NOT lines)
  add_test(${name}_CANNOT_LIST_ITS_TESTS "${executable}" --gtest_list_tests --wick-cannot-list)
  set_tests_properties(${name}_CANNOT_LIST_ITS_TESTS PROPERTIES PASS_REGULAR_EXPRESSION "wick-never")
  return()
endif()
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^\n?([^ \n]*)\\..*$" "\\1" suite "${line}")
  if((filter AND NOT suite MATCHES "${filter}") OR (exclude AND suite MATCHES "${exclude}"))
    continue()
  endif()
  add_test("${name}.${suite}" "${executable}" "--gtest_filter=${suite}.*" --gtest_brief=1)
  list(APPEND wick_suites "${name}.${suite}")
  set_tests_properties("${name}.${suite}" PROPERTIES TIMEOUT ${timeout} LABELS "${labels}" ENVIRONMENT "${environment}"
                                                     WORKING_DIRECTORY "${folder}" SKIP_RETURN_CODE 77)
endforeach()
