#include "base/names.h"

#include <catch2/catch.hpp>

namespace pfs {
namespace {

const std::string kCommit(32, 'a');

Code refusal_of(std::string_view text) {
  const auto parsed = CommitRef::parse(text);
  return parsed ? Code::kInternal : parsed.error().code;
}

}  // namespace

TEST_CASE("a repo's name is 1 to 63 letters, digits, _ and -", "[base]") {
  CHECK(RepoName::parse("images-2_B").value().str() == "images-2_B");
  CHECK(RepoName::parse(std::string(63, 'x')));
  for (const std::string bad : {"", ".", "a b", "a@b", "a/b", "a.b", "\xc3\xa4", "a\n"}) {
    INFO(printable(bad));
    CHECK(RepoName::parse(bad).error().code == Code::kInvalid);
  }
  CHECK_FALSE(RepoName::parse(std::string(64, 'x')));
  CHECK_FALSE(RepoName::parse(std::string("a\0b", 3)));
}

TEST_CASE("a branch's name is never that of a commit", "[base]") {
  CHECK(BranchName::parse("master"));
  CHECK_FALSE(BranchName::parse(kCommit));
  CHECK(BranchName::parse(std::string(31, 'a')));
  CHECK(BranchName::parse(std::string(32, 'A')));
}

TEST_CASE("a branch is written repo@branch", "[base]") {
  const auto ref = BranchRef::parse("data@master").value();
  CHECK(ref.repo.str() == "data");
  CHECK(ref.branch.str() == "master");
  CHECK(ref.str() == "data@master");
  for (const auto* bad : {"data", "@master", "data@", "data@a@b", "data@master^"}) {
    INFO(bad);
    CHECK_FALSE(BranchRef::parse(bad));
  }
}

TEST_CASE("a ref names a branch or a commit, and an ancestor of it", "[base]") {
  using Direction = Ancestry::Direction;
  const auto plain = CommitRef::parse("data@master").value();
  CHECK(plain.branch->str() == "master");
  CHECK_FALSE(plain.id);
  CHECK(plain.ancestry.direction == Direction::kNone);

  const auto id = CommitRef::parse("data@" + kCommit + "^").value();
  CHECK(id.id->hex() == kCommit);
  CHECK_FALSE(id.branch);
  CHECK(id.ancestry.steps == 1);

  CHECK(CommitRef::parse("data@master^^^").value().ancestry.steps == 3);
  CHECK(CommitRef::parse("data@master^3").value().ancestry.steps == 3);
  CHECK(CommitRef::parse("data@master~2").value().ancestry.steps == 2);
  const auto from_root = CommitRef::parse("data@master.2").value();
  CHECK(from_root.ancestry.direction == Direction::kFromRoot);
  CHECK(from_root.ancestry.steps == 2);

  for (const auto* bad : {"data", "data@", "data@^", "data@master^x", "data@master.", "data@master.0", "data@master^^2",
                          "data@master^3^", "data@master^99999999999999999999", "data@master.-1", "data@mas ter"}) {
    INFO(bad);
    CHECK(refusal_of(bad) == Code::kInvalid);
  }
}

TEST_CASE("a ref is written as it is read", "[base]") {
  for (const std::string text : {"data@master", "data@master^3", "data@master.2"}) {
    CHECK(CommitRef::parse(text).value().str() == text);
  }
  CHECK(CommitRef::parse("data@" + kCommit + "^2").value().str() == "data@" + kCommit + "^2");
}

TEST_CASE("a file's name is any bytes but slash and NUL, up to 255", "[base]") {
  CHECK(check_entry_name("a b\n\xff"));
  CHECK(check_entry_name("..."));
  CHECK(check_entry_name(std::string(255, 'x')));
  CHECK(check_entry_name(std::string(256, 'x')).error().code == Code::kNameTooLong);
  for (const std::string& bad : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                 std::string("a\0b", 3)}) {
    CHECK(check_entry_name(bad).error().code == Code::kInvalid);
  }
}

TEST_CASE("a path is its components, however many slashes it was written with", "[base]") {
  for (const auto* text : {"a/b", "/a/b", "a/b/", "//a///b//"}) {
    INFO(text);
    CHECK(RepoPath::parse(text).value().str() == "/a/b");
  }
  CHECK(RepoPath::parse("").value().is_root());
  CHECK(RepoPath::parse("/").value().str() == "/");

  const auto path = RepoPath::parse("a/b").value();
  CHECK(path.name() == "b");
  CHECK(path.parent().str() == "/a");
  CHECK(path.parent().parent().parent().is_root());
  CHECK(path.joined("c").str() == "/a/b/c");
}

TEST_CASE("a path that leads elsewhere or is too long is refused", "[base]") {
  for (const auto* text : {"a/../b", "..", "./a"}) {
    INFO(text);
    CHECK(RepoPath::parse(text).error().code == Code::kInvalid);
  }
  CHECK(RepoPath::parse(std::string(4097, 'a')).error().code == Code::kNameTooLong);
  CHECK(RepoPath::parse("a/" + std::string(256, 'b')).error().code == Code::kNameTooLong);
}

TEST_CASE("a name in a message cannot write on the terminal", "[base]") {
  CHECK(printable("plain \xc3\xa4") == "plain \xc3\xa4");
  CHECK(printable("a\x1b[31m\n\x7f") == "a\\x1b[31m\\x0a\\x7f");
  CHECK(printable("\xff\xc3") == "\\xff\\xc3");
  CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");  // an overlong slash
}

}  // namespace pfs
