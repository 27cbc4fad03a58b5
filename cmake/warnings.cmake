# Warnings for our own code; third parties' headers come in as system headers.
add_library(pfs_warnings INTERFACE)
target_compile_options(pfs_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror=switch
  # GCC 12 takes the empty half of a std::variant, so of every Result, for used uninitialized once it optimizes
  # and warns of overlapping copies in "..." + std::string (GCC bug 105651)
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Werror=thread-safety>
  $<$<BOOL:${PFS_WERROR}>:-Werror>)
