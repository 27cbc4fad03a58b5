#include "store/glob.h"

#include <catch2/catch.hpp>

using namespace pfs;
using namespace pfs::store;

namespace {

bool matches(const std::string& pattern, const std::string& path) {
  const auto glob = Glob::parse(pattern);
  REQUIRE(glob);
  return glob->matches(*RepoPath::parse(path));
}

/// A tree of plain entries, one level per directory, without a store.
class MapReader final : public TreeReader {
 public:
  void add(const std::string& path) {
    std::string parent;
    const auto whole = *RepoPath::parse(path);
    for (const auto& part : whole.parts()) {
      const std::string here = parent + "/" + part;
      Entry entry;
      entry.name = part;
      if (here != path) {
        entry.attributes.kind = Kind::kDirectory;
        entry.subtree.root = root(here);
      }
      directories_[root(parent)].insert_or_assign(part, entry);
      parent = here;
    }
  }
  /// A digest that stands for a directory: its path.
  static Digest root(const std::string& path) {
    std::string raw = path;
    raw.resize(Digest::kSize, '\0');
    return Digest::from_bytes(raw);
  }

  Result<std::optional<Entry>> find(const Digest& directory, std::string_view name) const override {
    const auto& entries = directories_.at(directory);
    const auto found = entries.find(std::string(name));
    return found == entries.end() ? std::nullopt : std::optional(found->second);
  }
  Result<void> scan(const Digest& directory, std::string_view,
                    const std::function<bool(const Entry&)>& visit) const override {
    ++scanned;
    for (const auto& [name, entry] : directories_.at(directory)) {
      if (!visit(entry)) break;
    }
    return {};
  }
  Result<std::optional<Entry>> find_path(const Digest&, const RepoPath&) const override { return std::nullopt; }
  Result<void> diff(const Digest&, const Digest&, const DiffVisit&) const override { return {}; }
  Result<void> diff(const Digest&, const Digest&, const DiffOptions&, const std::function<bool(const Difference&)>&) const override {
    return {};
  }

  mutable int scanned = 0;

 private:
  std::map<Digest, std::map<std::string, Entry>> directories_;
};

std::vector<std::string> visit(const std::string& pattern, const MapReader& reader) {
  std::vector<std::string> paths;
  Subtree root;
  root.root = MapReader::root("");
  const auto glob = Glob::parse(pattern);
  REQUIRE(glob);
  REQUIRE(glob->visit(reader, root, [&](const GlobMatch& match) {
    paths.push_back(match.path.str());
    return true;
  }));
  return paths;
}

}  // namespace

TEST_CASE("a glob matches whole paths, component by component", "[store]") {
  CHECK(matches("/*", "/a"));
  CHECK(matches("*", "/a"));
  CHECK(matches("/*", "/.hidden"));
  CHECK_FALSE(matches("/*", "/a/b"));
  CHECK(matches("/a/*/", "/a/b"));
  CHECK(matches("/**", "/a/b/c"));
  CHECK(matches("/a/**", "/a/b/c"));
  CHECK_FALSE(matches("/a/**", "/b/c"));
  CHECK(matches("/", "/"));
  CHECK_FALSE(matches("/", "/a"));
  CHECK_FALSE(matches("/**", "/"));
  CHECK(matches("/a?c", "/abc"));
  CHECK_FALSE(matches("/a?c", "/a/c"));
  CHECK(matches("/?", "/\xc3\xa9"));
  CHECK(matches("/?", "/\xff"));
  CHECK_FALSE(matches("/??", "/\xc3\xa9"));
  CHECK(matches("/*", "/\xff\xfe"));
}

TEST_CASE("a glob's classes match one character and never a slash", "[store]") {
  CHECK(matches("/[abc]", "/b"));
  CHECK_FALSE(matches("/[abc]", "/d"));
  CHECK(matches("/[a-c]x", "/bx"));
  CHECK(matches("/[!a-c]", "/d"));
  CHECK_FALSE(matches("/[!a-c]", "/b"));
  CHECK_FALSE(matches("/a[!x]b", "/a/b"));
  CHECK_FALSE(matches("/a[.-0]b", "/a/b"));
  CHECK(matches("/[[:digit:]]", "/7"));
  CHECK(matches("/[[:^digit:]]", "/x"));
  CHECK(matches("/[]]", "/]"));
  CHECK(matches("/[\xc3\xa9z]", "/\xc3\xa9"));
  CHECK_FALSE(matches("/[!\xc3\xa9]", "/\xc3\xa9"));
}

TEST_CASE("a glob's braces and groups choose between patterns", "[store]") {
  CHECK(matches("/{a,b*}.txt", "/bcd.txt"));
  CHECK_FALSE(matches("/{a,b}.txt", "/c.txt"));
  CHECK(matches("/{a/b,c}", "/a/b"));
  CHECK(matches("/@(a|b)", "/a"));
  CHECK_FALSE(matches("/@(a|b)", "/ab"));
  CHECK(matches("/+(ab)", "/abab"));
  CHECK_FALSE(matches("/+(ab)", "/"));
  CHECK(matches("/x*(ab)", "/x"));
  CHECK(matches("/x?(ab)", "/xab"));
  CHECK_FALSE(matches("/x?(ab)", "/xabab"));
  CHECK(matches("/a\\*b", "/a*b"));
  CHECK_FALSE(matches("/a\\*b", "/axb"));
}

TEST_CASE("a negated group is any text that its patterns do not match as a whole", "[store]") {
  CHECK(matches("/!(a)", "/b"));
  CHECK_FALSE(matches("/!(a)", "/a"));
  CHECK(matches("/!(*.txt)", "/a.png"));
  CHECK_FALSE(matches("/!(*.txt)", "/a.txt"));
  CHECK(matches("/!(a)b", "/aab"));
  CHECK_FALSE(matches("/!(a)b", "/ab"));
  CHECK(matches("/!(a)*", "/ab"));  // the text may be empty: bash says so
  CHECK(matches("/!(a)/x", "/b/x"));
  CHECK_FALSE(matches("/!(a)", "/b/c"));
}

TEST_CASE("a glob's groups capture what they matched", "[store]") {
  MapReader reader;
  reader.add("/2020-01/a.csv");
  Subtree root;
  root.root = MapReader::root("");
  std::vector<std::string> captures;
  const auto glob = Glob::parse("/(*)-(*)/!(b).@(csv|txt)");
  REQUIRE(glob);
  REQUIRE(glob->visit(reader, root, [&](const GlobMatch& match) {
    captures = match.captures;
    return true;
  }));
  CHECK(captures == std::vector<std::string>{"2020", "01", "a", "csv"});
}

TEST_CASE("a glob that cannot be one is refused", "[store]") {
  const auto* pattern = GENERATE("/[a", "/{a", "/(a", "/a)", "/@(a", "/\\", "/[z-a]", "/[[:nonsense:]]");
  const auto glob = Glob::parse(pattern);
  REQUIRE_FALSE(glob);
  CHECK(glob.error().code == Code::kInvalid);
}

TEST_CASE("a visit meets matches in the order of paths and reads no directory in vain", "[store]") {
  MapReader reader;
  for (const char* path : {"/a/x/1", "/a/y", "/a.b", "/b/x/2", "/c/z"}) reader.add(path);

  CHECK(visit("/*", reader) == std::vector<std::string>{"/a", "/a.b", "/b", "/c"});
  CHECK(reader.scanned == 1);
  CHECK(visit("/**", reader) ==
        std::vector<std::string>{"/a", "/a/x", "/a/x/1", "/a/y", "/a.b", "/b", "/b/x", "/b/x/2", "/c", "/c/z"});
  CHECK(visit("/{a,b}/x/*", reader) == std::vector<std::string>{"/a/x/1", "/b/x/2"});
  reader.scanned = 0;
  CHECK(visit("/b/x", reader) == std::vector<std::string>{"/b/x"});
  CHECK(visit("/nowhere", reader).empty());
  CHECK(reader.scanned == 0);
  CHECK(visit("/", reader) == std::vector<std::string>{"/"});
}
