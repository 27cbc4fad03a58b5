// Makes the archived stores of this version of the format: make_archive [--whole] ARCHIVE MANIFEST. Run by hand when the format
// changes: the targets `format_archive` and `format_archive_whole` do. The one has a commit that was being finished when its
// process was killed, and a pipeline; the other (--whole) what is packed, linked, spooled and queued. The manifest says what an
// open must find.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "format/archive.h"
#include "format/hand.h"
#include "format/make_whole.h"
#include "format/upper_program.h"
#include "format/whole_archive.h"
#include "support/child.h"
#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"

namespace pfs::test {
namespace {

constexpr std::uint64_t kSealPackAt = 20'000;  // so that a small store has sealed packs

using store::Kind;
using store::NodePtr;

void first_commit(Hand& hand) {
  const std::string b = "data@master";
  hand.branch(b);
  hand.file(b, "/README", "a small file, kept in its entry\n");
  hand.file(b, "/empty", "");
  hand.file(b, "/at-most-inline", noise("inline", 128));
  hand.file(b, "/one-chunk", noise("chunk", 129));
  hand.directory(b, "/notes");
  hand.directory(b, "/notes/deep");
  hand.directory(b, "/notes/deep/er");
  hand.directory(b, "/notes/nothing");
  hand.file(b, "/notes/long.txt", text("long", 3000));
  hand.file(b, "/notes/deep/er/leaf", "leaf\n");
  hand.file(b, "/" + std::string("odd \xff\n name"), "bytes that are no UTF-8\n");
  hand.file(b, "/\xc3\xbcml\xc3\xa4ut", "UTF-8\n");
  hand.file(b, "/" + std::string(255, 'n'), "the longest name\n");
  hand.make(b, "/latest", {Kind::kSymlink, 0777, 0, 0, 0, "notes/long.txt", true});
  hand.make(b, "/far", {Kind::kSymlink, 0777, 0, 0, 0, "notes/" + std::string(300, 'x'), true});
  hand.make(b, "/pipe", {Kind::kFifo, 0600, 7, 8, 0, {}, true});
  hand.make(b, "/socket", {Kind::kSocket, 0755, 0, 0, 0, {}, true});
  hand.make(b, "/null", {Kind::kCharacterDevice, 0666, 0, 0, 0x103, {}, true});
  hand.make(b, "/disk", {Kind::kBlockDevice, 0660, 0, 6, 0x800, {}, true});
  auto run = hand.make(b, "/run.sh", {Kind::kFile, 04755, 1000, 1001, 0, {}, true});
  hand.write(run, 0, "#!/bin/sh\nexit 0\n");
  must(hand.trees().set_xattr(run, "user.colour", "blue"));
  must(hand.trees().set_xattr(run, "user.empty", ""));
  must(hand.trees().set_xattr(hand.at(b, "/notes"), "user.note", std::string("\0\1\2", 3)));
  store::AttributeChange old;
  old.mtime = Timestamp{-1'500'000'001};  // before 1970
  hand.change(hand.at(b, "/README"), old);
  hand.commit(b, "the first");
}

void history(Hand& hand) {
  const std::string b = "data@master";
  hand.file(b, "/text.txt", text("text", 300'000));
  // a list of several levels: two texts by turns, by reference
  hand.file(b, "/turn-a", text("turn a", 60'000));
  hand.file(b, "/turn-b", noise("turn b", 30'000) + text("turn b", 50'000));
  hand.commit(b, "texts");
  const auto turns = hand.file(b, "/turns", "");
  for (std::uint64_t at = 0, turn = 0; turn < 200; ++turn)
    at += must(hand.trees().copy_range(hand.at(b, turn % 2 == 0 ? "/turn-a" : "/turn-b"), 0, turns, at, 1'000'000));
  const auto holes = hand.file(b, "/holes", "begin");
  store::AttributeChange size;
  size.size = 5'000'000;
  hand.change(holes, size);
  hand.write(holes, 4'000'000, "end");
  hand.commit(b, "turns and holes");

  hand.write(hand.at(b, "/text.txt"), 150'000, "*** changed in the middle ***");
  hand.remove(b, "/notes/deep/er/leaf", false);
  hand.remove(b, "/notes/deep/er", true);
  hand.directory(b, "/bin");
  hand.rename(b, "/run.sh", b, "/bin/run");
  store::AttributeChange mode;
  mode.mode = 0600;
  hand.change(hand.at(b, "/one-chunk"), mode);
  hand.commit(b, "an edit, a move, a removal");
  must(hand.trees().set_xattr(hand.at(b, "/bin/run"), "user.colour", std::nullopt));
  hand.commit(b);
}

void branches(Hand& hand) {
  const auto head = must(hand.catalog().branch(Hand::ref("data@master"))).head;
  hand.branch("data@staging", head);
  must(hand.trees().copy_entry(hand.at("data@master", "/notes"), hand.root("data@staging"), "notes-copied"));
  hand.file("data@staging", "/only-in-staging", "staged\n");
  hand.commit("data@staging", "with a reference copy");
  // HEAD moves, and moves back
  hand.branch("data@release", head);
  must(hand.catalog().retarget(Hand::ref("data@release"), must(CommitRef::parse("data@staging"))));
  must(hand.catalog().retarget(Hand::ref("data@release"), must(CommitRef::parse("data@master^2"))));
  // its commits and its log stay
  hand.branch("data@gone");
  hand.file("data@gone", "/gone", "gone\n");
  hand.commit("data@gone", "of a branch that is deleted");
  must(hand.catalog().delete_branch(Hand::ref("data@gone"), true));
  must(hand.catalog().create_repo(must(RepoName::parse("bare")), "a repo without a branch"));
}

void many_entries(Hand& hand) {
  hand.branch("many@master");
  hand.directory("many@master", "/d");
  for (int i = 0; i < 300; ++i) hand.file("many@master", fmt::format("/d/entry-{:03}", i), fmt::format("{}\n", i));
  hand.commit("many@master", "300 entries");
  hand.remove("many@master", "/d/entry-150", false);
  hand.write(hand.at("many@master", "/d/entry-200"), 0, "another");
  hand.commit("many@master", "one less, one changed");
}

void open_changes(Hand& hand) {
  const std::string b = "data@open";
  hand.branch(b);
  hand.file(b, "/base", text("base", 150'000));
  hand.file(b, "/removed", "removed\n");
  hand.directory(b, "/tree");
  hand.file(b, "/tree/leaf", "leaf\n");
  hand.commit(b, "what the open changes lie on");
  hand.branch("data@joined");
  hand.file("data@joined", "/stays", "stays\n");
  hand.commit("data@joined");

  hand.write(hand.at(b, "/base"), 70'000, "*** staged over the middle ***");
  const auto fresh = hand.file(b, "/fresh", text("fresh", 5000));
  must(hand.trees().copy_range(hand.at(b, "/base"), 0, fresh, 2000, 120'000));
  hand.remove(b, "/removed", false);
  hand.rename(b, "/tree", b, "/moved");
  hand.rename(b, "/moved/leaf", "data@joined", "/leaf-of-another-branch");
  must(hand.trees().set_xattr(fresh, "user.state", "uncommitted"));
  // its row has not followed its bytes: the next open finds them in the staging log
  hand.write(hand.file(b, "/being-written", "first "), 6, "second", false);
  must(hand.catalog().start_commit(Hand::ref("data@by-hand"), "opened by hand"));
  hand.file("data@by-hand", "/f", "of a commit by hand\n");
}

void frozen_changes(Hand& hand) {
  hand.branch("data@frozen");
  hand.file("data@frozen", "/before", "before\n");
  hand.commit("data@frozen");
  hand.file("data@frozen", "/frozen", text("frozen", 70'000));
  hand.remove("data@frozen", "/before", false);
}

store::StoreOptions options(const std::string& directory, const Clock& clock) {
  store::StoreOptions options;
  options.path = directory + "/store";
  options.clock = &clock;
  options.automatic_commits = false;
  options.seal_pack_at = kSealPackAt;
  return options;
}

void require_files(const std::string& path) {
  for (boost::filesystem::recursive_directory_iterator file(path), end; file != end; ++file) {
    if (boost::filesystem::is_regular_file(file->path())) return;
  }
  throw std::runtime_error(path + ": holds no file, and an archive should have one there");
}

void require_hot_rows(store::Store& store) {
  bool found = false;
  const auto note = [&](std::string_view, std::string_view) { return !(found = true); };
  must(store.local().scan(store::Family::kHot, {}, std::string(64, '\xff'), note));
  if (!found) throw std::runtime_error("the store has no hot rows, and an archive should have some");
}

void run_pipeline(const std::string& directory) {
  PipelineFixture* self = nullptr;
  PipelineFixture fixture(directory, [&self](const ProgramCall& call) { return run_upper(*self, call); });
  self = &fixture;
  fixture.open();
  fixture.make_branch("text@master");
  must(fixture.pipelines().create(kArchivePipeline, false, false));
  const auto commit = [&](const std::string& name, const std::string& bytes) {
    fixture.write("text@master", "/" + name, bytes);
    fixture.finish("text@master");
    fixture.newest_job("upper");
  };
  fixture.write("text@master", "/a", "first\n");
  commit("b", "second\n");
  commit("c", "third\n");
  commit("bad", "cannot be\n");
  auto& trees = fixture.store().trees();
  must(trees.remove(trees.root(must(trees.branch(PipelineFixture::branch("text@master")))), "bad", false));
  commit("d", "fourth\n");
}

/// The rest, in a process that is killed while it finishes the branch.
int finish_frozen(const std::string& directory) {
  const ArchiveClock clock(kArchiveBegin + 30'000, true);
  auto store = must(store::Store::open(options(directory, clock)));
  Hand hand(*store);
  open_changes(hand);
  frozen_changes(hand);
  hand.commit("data@frozen", "being finished");
  return 0;
}

void write_manifest(const std::string& directory, const std::string& path) {
  std::string lines;
  {
    const ArchiveClock clock(kArchiveRead);
    auto store = must(store::Store::open(options(directory, clock)));
    must(store->resume());
    for (const auto& line : describe(*store)) lines += line + "\n";
  }
  PipelineFixture fixture(directory, {});
  fixture.open(false);
  for (const auto& line : describe(fixture.pipelines())) lines += line + "\n";
  if (lines.find("'being finished'") == lines.npos) throw std::runtime_error("the frozen commit was not finished at the next open");
  must(write_file_atomically(path, lines));
}

/// What a process leaves in a store and no process reads.
void remove_traces(const std::string& store) {
  boost::filesystem::remove(store + "/LOCK");
  for (const auto& file : boost::filesystem::directory_iterator(store + "/db")) {
    if (file.path().filename().string().starts_with("LOG")) boost::filesystem::remove(file.path());  // RocksDB's diary
  }
}

void print_size(const std::string& archive) {
  std::printf("%s: %llu bytes\n", archive.c_str(), static_cast<unsigned long long>(boost::filesystem::file_size(archive)));
}

int make(const std::string& archive, const std::string& manifest) {
  const TemporaryDirectory directory;
  {
    const ArchiveClock clock(kArchiveBegin, true);
    auto store = must(store::Store::open(options(directory.path(), clock)));
    Hand hand(*store);
    must(hand.catalog().create_repo(must(RepoName::parse("data")), "made for the archive"));
    first_commit(hand);
    history(hand);
    branches(hand);
    many_entries(hand);
    require_files(directory / "store/packs");
    require_files(directory / "store/open");
    require_hot_rows(*store);
  }
  run_pipeline(directory.path());
  const auto end = run_child({"/proc/self/exe", "--finish-frozen", directory.path()}, {"PFS_FAULT=store.finish.walked:kill:4"});
  if (end.signal != SIGKILL) throw std::runtime_error("the process that finishes a commit was not killed in it");
  boost::filesystem::remove_all(directory / "jobs");
  remove_traces(directory / "store");
  pack_archive(directory.path(), archive);
  write_manifest(directory.path(), manifest);
  print_size(archive);
  return 0;
}

int make_whole(const std::string& archive, const std::string& manifest) {
  constexpr std::time_t kSpoolsWritten = kArchiveBegin + 10'000'000;
  const TemporaryDirectory directory;
  const auto end = run_child({"/proc/self/exe", "--write-whole", directory.path()});
  if (end.status != 0) {
    const auto why = read_file(directory / "error").value_or("it was killed");
    throw std::runtime_error("the process that writes the store failed: " + why);
  }
  // a spool's own time is its file's, and an archive keeps whole seconds of it
  for (const auto& spool : boost::filesystem::directory_iterator(directory / "store/stage/spool")) {
    boost::filesystem::last_write_time(spool.path(), kSpoolsWritten);
  }
  boost::filesystem::remove(directory / "store/ballast");
  remove_traces(directory / "store");
  pack_archive(directory.path(), archive);

  const TemporaryDirectory unpacked;
  unpack_archive(archive, unpacked.path());
  const ArchiveClock clock(kArchiveRead);
  auto opened = options(unpacked.path(), clock);
  opened.packing.automatic = false;
  const auto store = must(store::Store::open(opened));
  must(store->resume());
  for (const auto& missing : whole::missing_in(*store)) throw std::runtime_error("not in the archive: " + missing);
  std::string lines;
  for (const auto& line : describe(*store)) lines += line + "\n";
  must(write_file_atomically(manifest, lines));
  print_size(archive);
  return 0;
}

}  // namespace
}  // namespace pfs::test

int main(int argc, char** argv) try {
  if (argc == 4 && std::strcmp(argv[1], "--whole") == 0) return pfs::test::make_whole(argv[2], argv[3]);
  if (argc != 3) {
    std::fputs("usage: make_archive [--whole] ARCHIVE MANIFEST\n", stderr);
    return 2;
  }
  if (std::strcmp(argv[1], "--finish-frozen") == 0) return pfs::test::finish_frozen(argv[2]);
  if (std::strcmp(argv[1], "--write-whole") == 0) return pfs::test::write_whole(argv[2]);
  return pfs::test::make(argv[1], argv[2]);
} catch (const std::exception& e) {
  std::fprintf(stderr, "make_archive: %s\n", e.what());
  return 1;
}
