#include "base/error.h"

#include <catch2/catch.hpp>

#include <cerrno>
#include <set>

namespace pfs {

TEST_CASE("every code has a name of its own", "[base]") {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Code::kInternal); ++code) {
    names.insert(name_of(static_cast<Code>(code)));
  }
  CHECK(names.size() == static_cast<std::size_t>(Code::kInternal) + 1);
  CHECK_FALSE(names.contains("unknown"));
}

TEST_CASE("errno becomes a code where it enters, and what it has no word for is an i/o error", "[base]") {
  CHECK(code_of_errno(ENOENT) == Code::kNotFound);
  CHECK(code_of_errno(ENOSPC) == Code::kNoSpace);
  CHECK(code_of_errno(EIO) == Code::kIo);
  CHECK(code_of_errno(ENOTTY) == Code::kIo);
  CHECK(error_from_errno(ENOENT, "open /nowhere").message == "open /nowhere: No such file or directory");
}

TEST_CASE("context is put in front of an error's message", "[base]") {
  CHECK(Error{Code::kIo, "read"}.within("pack 3").within("repo data").message == "repo data: pack 3: read");
}

}  // namespace pfs
