#include <catch2/catch.hpp>

#include <string>

#include "fs/head_links.h"

using namespace pfs;
using namespace pfs::fs;

namespace {

const BranchRef kMaster = *BranchRef::parse("data@master");

}  // namespace

TEST_CASE("every form in which ln names its source is a retarget", "[fs]") {
  for (const std::string body : {"data@staging", "data@staging/", "../data@staging",
                                 "/pfs/data@staging", "/pfs/data@staging//"}) {
    const auto meaning = retarget_by_symlink(kMaster, "data@staging", body);
    REQUIRE(meaning);
    REQUIRE(*meaning);
    CHECK((*meaning)->str() == "data@staging");
  }
  CHECK((*retarget_by_symlink(kMaster, "data@staging^3", "data@staging^3"))->str() ==
        "data@staging^3");
}

TEST_CASE("a reserved name with another body is refused", "[fs]") {
  const auto meaning = retarget_by_symlink(kMaster, "data@staging", "somewhere/data@staging");
  REQUIRE_FALSE(meaning);
  CHECK(meaning.error().code == Code::kNotPermitted);
}

TEST_CASE("HEAD cannot come from another repo", "[fs]") {
  const auto meaning = retarget_by_symlink(kMaster, "other@staging", "other@staging");
  REQUIRE_FALSE(meaning);
  CHECK(meaning.error().code == Code::kNotPermitted);
  CHECK(ref_of_pointer(kMaster, "../../other@staging").error().code == Code::kNotPermitted);
}

TEST_CASE("any other symlink at the top of a branch is an ordinary one", "[fs]") {
  CHECK_FALSE(*retarget_by_symlink(kMaster, "latest", "2026/november"));
  CHECK_FALSE(*retarget_by_symlink(kMaster, "a@b", "elsewhere"));
  CHECK_FALSE(*retarget_by_symlink(kMaster, "latest", "latest"));
}

TEST_CASE("a pointer's new body is a ref by its last part", "[fs]") {
  CHECK(ref_of_pointer(kMaster, "../../data@staging")->str() == "data@staging");
  CHECK(ref_of_pointer(kMaster, "/pfs/data@staging^/")->str() == "data@staging^1");
  CHECK(ref_of_pointer(kMaster, "../../nonsense").error().code == Code::kInvalid);
}

TEST_CASE("a pointer that was unlinked is hidden from who unlinked it alone", "[fs]") {
  PassingLinks links;
  const NodeId heads(7);
  links.hide(heads, "data@master", 42);
  CHECK(links.is_hidden_from(heads, "data@master", 42));
  CHECK_FALSE(links.is_hidden_from(heads, "data@master", 43));
  CHECK_FALSE(links.body(heads, "data@master"));
  links.remove(heads, "data@master");
  CHECK_FALSE(links.is_hidden_from(heads, "data@master", 42));
}
