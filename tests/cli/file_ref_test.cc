#include "cli/file_ref.h"

#include <catch2/catch.hpp>

namespace pfs::cli {
namespace {

FileRef ref(const std::string& text) {
  auto parsed = FileRef::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

std::string target(const std::string& text, const std::string& source, bool several = false) {
  const auto path = destination(ref(text), {source, source.ends_with("dir")}, several);
  return path ? path->str() : "error";
}

TEST_CASE("a file is split at the first @ and then at the first colon", "[cli][file_ref]") {
  const auto file = ref("data@master^2:/a@b:c");
  CHECK(file.commit.str() == "data@master^2");
  CHECK(file.path.str() == "/a@b:c");
  CHECK(file.has_path);
  CHECK_FALSE(ref("data@master").has_path);
  CHECK_FALSE(ref("data@master:").has_path);
  CHECK(ref("data@master:/").has_path);
}

TEST_CASE("a file without a repo, a branch or a good path is refused", "[cli][file_ref]") {
  CHECK_FALSE(FileRef::parse("data:/a"));
  CHECK_FALSE(FileRef::parse("@master:/a"));
  CHECK_FALSE(FileRef::parse("data@:/a"));
  CHECK_FALSE(FileRef::parse("data@master:/a/../b"));
}

TEST_CASE("a branch can be written to, and what may be its open commit", "[cli][file_ref]") {
  CHECK(ref("data@master:/a").to_change());
  CHECK(ref("data@0123456789abcdef0123456789abcdef:/a").to_change());
  CHECK_FALSE(ref("data@master^:/a").to_change());
  CHECK_FALSE(ref("data@0123456789abcdef0123456789abcdef^:/a").to_change());
}

TEST_CASE("one source goes to the path, several go below it", "[cli][file_ref]") {
  CHECK(target("data@master:/new", "old") == "/new");
  CHECK(target("data@master:/dir", "a/x", true) == "/dir/a/x");
}

TEST_CASE("behind a slash a file keeps its own name, and a directory's contents go there",
          "[cli][file_ref]") {
  CHECK(target("data@master:/new/", "a/x") == "/new/x");
  CHECK(target("data@master:/", "a/x") == "/x");
  CHECK(target("data@master:/new/", "a/dir") == "/new");
  CHECK(target("data@master", "a/dir") == "/a/dir");
}

TEST_CASE("without a path the source names the file, less what leads out of the branch",
          "[cli][file_ref]") {
  CHECK(target("data@master", "a/x") == "/a/x");
  CHECK(target("data@master", "../../a/./x") == "/a/x");
  CHECK(target("data@master", "/abs/b/../x") == "/abs/x");
  CHECK(target("data@master", ".") == "error");
  CHECK(target("data@master", "-") == "error");
}

}  // namespace
}  // namespace pfs::cli
