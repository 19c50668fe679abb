# How tests are registered: one line each.

# Sanitizers do not fail a Criterion run by themselves: a leak is found after
# the test has passed. Whatever they say fails the test here.
set(CUBBY_SANITIZER_FINDINGS
    "ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:")

function(cubby_register_test name timeout)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${timeout} FAIL_REGULAR_EXPRESSION "${CUBBY_SANITIZER_FINDINGS}")
endfunction()

# cubby_test(name source... LIBS target... [TIMEOUT seconds] [DEFINITIONS ...])
# A Criterion executable. Not under ThreadSanitizer, which Criterion's runner
# does not survive.
function(cubby_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LIBS;DEFINITIONS")
  if(CUBBY_SANITIZE MATCHES "thread")
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} PkgConfig::CRITERION)
  target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
  cubby_register_test(${name} ${arg_TIMEOUT})
endfunction()

# cubby_plain_test(name source... LIBS target... [TIMEOUT seconds] [DEFINITIONS ...])
# A plain program that exits 0, for races; under every sanitizer.
function(cubby_plain_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LIBS;DEFINITIONS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} Threads::Threads)
  target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
  cubby_register_test(${name} ${arg_TIMEOUT})
endfunction()
