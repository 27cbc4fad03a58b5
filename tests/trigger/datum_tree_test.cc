// What is found in a datum's output when it is taken.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "support/must.h"
#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"
#include "trigger/internal/datum_tree.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/spec_input.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;

namespace {

/// The one datum of a branch, with a directory `full` of files and directories of files, `deep` with an empty directory far below, and
/// `empty`.
struct LinkedInput {
  explicit LinkedInput(bool empty_files)
      : fixture(directory.path(), [](const ProgramCall&) { return worker::CommandEnd{}; }),
        input(must(read_input({{"pfs", {{"repo", "a"}, {"glob", "/"}, {"empty_files", empty_files}}}}))) {
    fixture.open(false);
    fixture.make_branch("a@master");
    for (const char* path : {"full/1", "full/x/2", "full/x/y/3", "deep/1", "deep/x/2"}) fixture.write("a@master", path, path);
    auto& trees = fixture.store().trees();
    const auto root = trees.root(must(trees.branch(PipelineFixture::branch("a@master"))));
    fixture.make_directory(root, "empty");
    fixture.make_directory(must(trees.walk(root, must(RepoPath::parse("deep/x")))), "empty");
    fixture.finish("a@master");
    const BranchRef branch = PipelineFixture::branch("a@master");
    const auto head = must(fixture.store().catalog().branch(branch)).head;
    const InputRoots roots{{branch, must(fixture.store().catalog().commit(*head)).root}};
    const DatumMaker maker(PipelineFixture::repo("p"), "salt");
    datum = must(list_datums(fixture.store().tree_reader(), input, roots, maker)).at(0);
    view = must(make_datum_tree(trees, fixture.store().tree_reader(), datum));
  }

  store::NodePtr in(const std::string& path) {
    auto& trees = fixture.store().trees();
    return must(trees.walk(trees.root(view.tree), must(RepoPath::parse("a/" + path))));
  }
  /// A link at /pfs/out/link, taken with the rest.
  bool has_empty_directories_with(const std::string& target) {
    store::MakeRequest link;
    link.kind = store::Kind::kSymlink;
    link.target = target;
    auto& trees = fixture.store().trees();
    must(trees.make(view.out, "link", link));
    const DatumOutput output = must(collect_output(trees, fixture.store().tree_reader(), datum, view));
    return output.has_empty_directories;
  }

  TemporaryDirectory directory;
  PipelineFixture fixture;
  const Input input;
  Datum datum;
  DatumTree view;
};

}  // namespace

TEST_CASE("a link to a directory counts as an empty directory only where it brings one", "[trigger]") {
  const bool empty_files = GENERATE(false, true);
  LinkedInput linked(empty_files);
  SECTION("full of files") { CHECK_FALSE(linked.has_empty_directories_with("/pfs/a/full")); }
  SECTION("a file") { CHECK_FALSE(linked.has_empty_directories_with("/pfs/a/full/x/y/3")); }
  SECTION("nothing") { CHECK_FALSE(linked.has_empty_directories_with("/pfs/a/none")); }
  SECTION("out of the view") { CHECK_FALSE(linked.has_empty_directories_with("/usr")); }
  SECTION("with an empty one below it") { CHECK(linked.has_empty_directories_with("/pfs/a/deep")); }
  SECTION("empty") { CHECK(linked.has_empty_directories_with("/pfs/a/empty")); }
  SECTION("the whole input") { CHECK(linked.has_empty_directories_with("/pfs/a")); }
}

TEST_CASE("a link to a directory that its program has changed is looked into as it is", "[trigger]") {
  LinkedInput linked(false);
  const auto made = linked.fixture.make_directory(linked.in("full/x"), "made");
  SECTION("empty") { CHECK(linked.has_empty_directories_with("/pfs/a/full")); }
  SECTION("with a file") {
    linked.fixture.write_file(made, "f", "text");
    CHECK_FALSE(linked.has_empty_directories_with("/pfs/a/full"));
  }
}
