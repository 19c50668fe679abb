# Language, warnings, sanitizers and hardening, for every target.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(CUBBY_TESTS "build the tests" OFF)
option(CUBBY_WERROR "treat warnings as errors" OFF)
option(CUBBY_HARDEN "OpenSSF compiler hardening" OFF)
option(CUBBY_MIMALLOC "link the mimalloc allocator" OFF)
option(CUBBY_LTO "link-time optimisation" OFF)
option(CUBBY_FUZZ "build the libFuzzer targets (clang)" OFF)
option(CUBBY_COVERAGE "instrument for gcov" OFF)
set(CUBBY_SANITIZE "" CACHE STRING "value of -fsanitize, empty for none")

add_compile_definitions(_GNU_SOURCE CUBBY_VERSION="${PROJECT_VERSION}")
include_directories(${PROJECT_SOURCE_DIR})
add_compile_options(
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual
  -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough -Wno-missing-field-initializers)
if(CUBBY_WERROR)
  add_compile_options(-Werror)
endif()

if(CUBBY_SANITIZE)
  add_compile_options(-fsanitize=${CUBBY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CUBBY_SANITIZE})
endif()

if(CUBBY_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

# https://best.openssf.org/Compiler-Hardening-Guides/
if(CUBBY_HARDEN)
  add_compile_options(
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
    -fno-delete-null-pointer-checks -fno-strict-overflow -ftrivial-auto-var-init=zero)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    add_compile_options(-mbranch-protection=standard)
  endif()
  add_link_options(-Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,--as-needed)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_link_options(-pie)
endif()

if(CUBBY_LTO)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
