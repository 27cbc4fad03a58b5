// A store that this version must not open is refused, says why, and is not touched.
#include <boost/filesystem.hpp>
#include <catch2/catch.hpp>

#include "base/file.h"
#include "format/archive.h"
#include "store/store.h"
#include "support/must.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

constexpr const char* kFormat =
    "pfs-store 1\nid 0123456789abcdef0123456789abcdef\nfeatures-compatible \nfeatures-read-only-compatible \n"
    "features-incompatible \nchunker 1\ndomain 0 store\n";

std::string with(const std::string& line, const std::string& instead) {
  std::string format = kFormat;
  return format.replace(format.find(line), line.size(), instead);
}

/// A directory with a FORMAT file, and what is in it afterwards.
struct Directory {
  TemporaryDirectory directory;

  Result<std::unique_ptr<store::Store>> open() const {
    static const ArchiveClock clock(kArchiveRead);
    store::StoreOptions options;
    options.path = directory.path();
    options.clock = &clock;
    return store::Store::open(options);
  }
  void put(const std::string& name, const std::string& text) const { must(write_file_atomically(directory / name, text)); }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : boost::filesystem::directory_iterator(directory.path())) all.push_back(entry.path().filename().string());
    return all;
  }
};

}  // namespace

TEST_CASE("a store of a newer format, or with a feature that is not known, is refused and not touched", "[store][format]") {
  struct Case {
    std::string format;
    Code code;
    std::string words;
  };
  const auto refused = GENERATE(values<Case>({
      {with("pfs-store 1", "pfs-store 2"), Code::kUnsupported, "format 2, and this version of pfs knows 1; open it with"},
      {with("features-incompatible ", "features-incompatible braids"), Code::kUnsupported, "needs 'braids', which this version"},
      {with("features-read-only-compatible ", "features-read-only-compatible ribbons"), Code::kUnsupported, "needs 'ribbons'"},
      {with("chunker 1", "chunker 2"), Code::kUnsupported, "needs 'chunker 2'"},
      {with("domain 0 store", "domain 0 branch"), Code::kUnsupported, "needs 'domain 0 branch'"},
      {"not a FORMAT\n", Code::kCorrupt, "not the FORMAT file of a store; put it back"},
      {"", Code::kCorrupt, "not the FORMAT file of a store; put it back"},
  }));
  const Directory store;
  store.put("FORMAT", refused.format);
  const auto opened = store.open();
  REQUIRE_FALSE(opened);
  INFO(opened.error().message);
  CHECK(opened.error().code == refused.code);
  CHECK(opened.error().message.find(store.directory / "FORMAT") == 0);
  CHECK(opened.error().message.find(refused.words) != std::string::npos);
  CHECK(store.names() == std::vector<std::string>{"FORMAT"});
  CHECK(must(read_file(store.directory / "FORMAT")) == refused.format);
}

TEST_CASE("a compatible feature that is not known is none of our business", "[store][format]") {
  const Directory store;
  store.put("FORMAT", with("features-compatible ", "features-compatible hats"));
  CHECK(store.open());
}

TEST_CASE("a store that has lost its FORMAT is not taken for a new one", "[store][format]") {
  const Directory store;
  REQUIRE(store.open());
  boost::filesystem::remove(store.directory / "FORMAT");
  const auto opened = store.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Code::kCorrupt);
  CHECK(opened.error().message.find(store.directory / "FORMAT") == 0);
}

TEST_CASE("a start that was killed before FORMAT was written is gone on with", "[store][format]") {
  const Directory store;
  for (const auto* name : {"db", "packs", "open", "stage"}) boost::filesystem::create_directory(store.directory / name);
  store.put("LOCK", "1 on a\n");
  store.put("FORMAT.new", "pfs-st");
  CHECK(store.open());
}

}  // namespace pfs::test
