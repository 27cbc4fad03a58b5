// Stores of every version of the format that there has been: they open, hold what their manifests say, and go on.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <mutex>
#include <span>
#include <thread>

#include <boost/filesystem.hpp>
#include <catch2/catch.hpp>

#include "format/archive.h"
#include "format/upper_program.h"
#include "format/whole_archive.h"
#include "store/events.h"
#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// The first line that differs, in words; empty when none does.
std::string difference(const std::vector<std::string>& expected, const std::vector<std::string>& found) {
  for (std::size_t i = 0; i < std::max(expected.size(), found.size()); ++i) {
    const std::string one = i < expected.size() ? expected[i] : "(nothing more)";
    const std::string other = i < found.size() ? found[i] : "(nothing more)";
    if (one != other) return "line " + std::to_string(i + 1) + "\nexpected " + one + "\nfound    " + other;
  }
  return {};
}

/// An archived store, unpacked in a directory of its own.
class Archived {
 public:
  explicit Archived(const std::string& version)
      : manifest_(lines_of(PFS_ARCHIVES "/" + version + ".manifest")) {
    REQUIRE(manifest_.size() > 100);
    unpack_archive(PFS_ARCHIVES "/" + version + ".tar.zst", directory_.path());
  }

  std::unique_ptr<store::Store> open(const Clock& clock) const {
    store::StoreOptions options;
    options.path = directory_ / "store";
    options.clock = &clock;
    options.automatic_commits = false;
    options.packing.automatic = false;
    auto store = must(store::Store::open(options));
    must(store->resume());
    return store;
  }
  const std::string& directory() const { return directory_.path(); }

  /// The lines of the manifest, those of pipelines and jobs or the others.
  std::vector<std::string> manifest(bool of_pipelines) const {
    std::vector<std::string> lines;
    for (const auto& line : manifest_) {
      if ((line.starts_with("pipeline ") || line.starts_with("job ")) == of_pipelines) lines.push_back(line);
    }
    return lines;
  }

 private:
  TemporaryDirectory directory_;
  const std::vector<std::string> manifest_;
};

/// Commits and their trees: what no change may change.
std::vector<std::string> commits_in(const std::vector<std::string>& lines, const std::vector<std::string>& known) {
  std::vector<std::string> commits;
  bool keep = false;
  for (const auto& line : lines) {
    if (!line.starts_with(' ')) {
      const auto id = line.starts_with("commit ") ? line.substr(0, 39) : "";
      keep = !id.empty() && std::any_of(known.begin(), known.end(), [&](const auto& each) { return each.starts_with(id); });
    }
    if (keep) commits.push_back(line);
  }
  return commits;
}

std::string read(store::Store& store, const std::string& commit, const std::string& path) {
  auto& trees = store.trees();
  const auto root = trees.root(must(trees.commit(must(store.catalog().resolve(must(CommitRef::parse(commit)))))));
  const auto file = must(trees.walk(root, must(RepoPath::parse(path))));
  std::string text(must(trees.stat(file)).size, '\0');
  must(trees.read(file, 0, std::as_writable_bytes(std::span(text))));
  return text;
}

/// What has become of the commits of a manifest, as difference() tells it. The commit that the first open finished is stamped
/// with the time of that open, so it is left out.
std::string change_of_commits(const Archived& archived, store::Store& store) {
  const auto manifest = archived.manifest(false);
  auto before = commits_in(manifest, manifest);
  auto after = commits_in(describe(store), manifest);
  for (auto* lines : {&before, &after}) {
    std::erase_if(*lines, [](const auto& line) { return line.find("'being finished'") != std::string::npos; });
  }
  return difference(before, after);
}

/// A file more in every branch of people, and an edit of a file that was cut into chunks long ago; all of it finished.
void change_all(store::Store& store) {
  auto& trees = store.trees();
  for (const auto& branch : must(store.catalog().branches(std::nullopt))) {
    if (!branch.output_of.empty()) continue;
    const auto root = trees.root(must(trees.branch(branch.ref)));
    const auto file = must(trees.make(root, "added", {}));
    must(trees.write(file, 0, as_bytes("added to " + branch.ref.str())));
    if (const auto text = trees.lookup(root, "text.txt")) must(trees.write(*text, 12'345, as_bytes("*** edited ***")));
    CHECK(must(store.catalog().finish(branch.ref, {})).made);
  }
}

/// Told of events, on another thread.
class Heard {
 public:
  store::EventListener listener() {
    return [this](std::span<const store::RefEvent> events) -> Result<void> {
      const std::lock_guard lock(mutex_);
      for (const auto& event : events) lines_.push_back(line_of(event));
      return {};
    };
  }
  /// As soon as there are so many, or after a time in which there should have been.
  std::vector<std::string> wait_for(std::size_t count) {
    for (int waited = 0; waited < 3000 && lines().size() < count; ++waited) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return lines();
  }

 private:
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace

TEST_CASE("an archived store opens and holds what its manifest says, twice", "[store][format]") {
  const Archived archived(GENERATE(as<std::string>(), PFS_ARCHIVED_VERSIONS, PFS_WHOLE_ARCHIVES));
  const ArchiveClock clock(kArchiveRead);
  for (int times = 0; times < 2; ++times) {
    const auto store = archived.open(clock);
    const auto differs = difference(archived.manifest(false), describe(*store));
    INFO(differs);
    REQUIRE(differs.empty());
  }
}

TEST_CASE("an archived store is changed and finished, and what it held stays", "[store][format]") {
  const Archived archived(GENERATE(as<std::string>(), PFS_ARCHIVED_VERSIONS));
  const ArchiveClock clock(kArchiveRead, true);
  {
    const auto store = archived.open(clock);
    change_all(*store);
    must(store->catalog().retarget(must(BranchRef::parse("data@release")), must(CommitRef::parse("data@frozen"))));
  }

  const auto store = archived.open(clock);
  CHECK(read(*store, "data@open", "/added") == "added to data@open");
  CHECK(read(*store, "data@open", "/being-written") == "first second");
  CHECK(read(*store, "data@release", "/frozen") == read(*store, "data@frozen", "/frozen"));
  CHECK(read(*store, "data@master", "/text.txt").substr(12'340, 24).find("*** edited ***") != std::string::npos);
  const auto differs = change_of_commits(archived, *store);
  INFO(differs);
  CHECK(differs.empty());
}

TEST_CASE("what an archive was made of stays through commits, packing and repacking", "[store][format]") {
  const Archived archived(GENERATE(as<std::string>(), PFS_WHOLE_ARCHIVES));
  const ArchiveClock clock(kArchiveRead, true);
  const std::vector<std::string> nothing;
  {
    const auto store = archived.open(clock);
    CHECK(whole::missing_in(*store) == nothing);
    const auto by_hand = must(BranchRef::parse("whole@by-hand"));
    const auto promised = must(store->catalog().branch(by_hand)).open;
    change_all(*store);
    CHECK(must(store->catalog().branch(by_hand)).head == promised);
    CHECK(whole::missing_in(*store) == nothing);
    must(store->pack());
    const auto repacked = must(store->repack({}));
    CHECK(repacked.packs_rewritten > 0);
    CHECK(repacked.damaged == 0);
    CHECK(whole::missing_in(*store) == nothing);
  }
  const auto store = archived.open(clock);
  CHECK(whole::missing_in(*store) == nothing);
  for (const auto& file : whole::staged_files()) CHECK(read(*store, file.branch, file.path) == file.bytes);
  CHECK(read(*store, "other@derived", "/added") == "added to other@derived");
  const auto differs = change_of_commits(archived, *store);
  INFO(differs);
  CHECK(differs.empty());
}

TEST_CASE("a listener is told of what its archived cursor has not come to", "[store][format]") {
  const Archived archived(GENERATE(as<std::string>(), PFS_WHOLE_ARCHIVES));
  auto expected = archived.manifest(false);
  std::erase_if(expected, [](const auto& line) { return !line.starts_with("event "); });
  REQUIRE_FALSE(expected.empty());
  const ArchiveClock clock(kArchiveRead, true);
  const auto store = archived.open(clock);
  Heard heard;
  const auto feed = must(store::EventFeed::start(store->refs(), whole::kListener, store::EventStart::kNow, heard.listener()));
  CHECK(heard.wait_for(expected.size()) == expected);
}

TEST_CASE("an archived store's pipeline goes on, and skips what it has done", "[trigger][format]") {
  const Archived archived(GENERATE(as<std::string>(), PFS_ARCHIVED_VERSIONS));
  { const auto store = archived.open(SystemClock()); }
  PipelineFixture* self = nullptr;
  PipelineFixture fixture(archived.directory(), [&self](const ProgramCall& call) { return run_upper(*self, call); });
  self = &fixture;
  fixture.open();
  const auto differs = difference(archived.manifest(true), describe(fixture.pipelines()));
  INFO(differs);
  CHECK(differs.empty());
  fixture.write("text@master", "/e", "fifth\n");
  fixture.finish("text@master");
  const auto job = fixture.newest_job("upper");
  CHECK(job.state == trigger::JobState::kSuccess);
  CHECK(job.processed == 1);
  CHECK(job.skipped == 4);
  CHECK(fixture.read("upper@master", "/e") == "FIFTH\n");
  CHECK(fixture.read("upper@master", "/a") == "FIRST\n");
}

}  // namespace pfs::test
