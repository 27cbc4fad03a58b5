#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "base/codec.h"
#include "support/must.h"
#include "support/pipeline_fixture.h"
#include "support/temporary_directory.h"
#include "trigger/internal/datum_tree.h"
#include "trigger/internal/datums.h"
#include "trigger/internal/hash.h"
#include "trigger/internal/spec_input.h"

using namespace pfs;
using namespace pfs::test;
using namespace pfs::trigger;
using nlohmann::json;

namespace {

/// A store with branches of one commit each.
struct Inputs {
  Inputs() : fixture(directory.path(), [](const ProgramCall&) { return worker::CommandEnd{}; }) { fixture.open(false); }

  void commit(const std::string& ref, const std::vector<std::string>& paths) {
    fixture.make_branch(ref);
    for (const auto& path : paths) fixture.write(ref, path, "in " + path);
    fixture.finish(ref);
  }
  std::vector<Datum> list(const Input& input) { return must(try_to_list(input)); }
  Result<std::vector<Datum>> try_to_list(const Input& input) {
    InputRoots roots;
    for (const BranchRef& branch : branches_of(input)) {
      const auto head = must(fixture.store().catalog().branch(branch)).head;
      if (head) roots[branch] = must(fixture.store().catalog().commit(*head)).root;
    }
    return list_datums(fixture.store().tree_reader(), input, roots, DatumMaker(PipelineFixture::repo("p"), "salt"));
  }
  /// Each datum as `name:path name:path`.
  std::vector<std::string> labels(const std::string& text) {
    const Input input = must(read_input(json::parse(text)));
    std::vector<std::string> all;
    for (const Datum& datum : list(input)) {
      std::string label;
      for (const auto& file : datum.files) {
        label += (label.empty() ? "" : " ") + file->input->name.str() + ":" + file->path.str();
      }
      all.push_back(label);
    }
    return all;
  }

  TemporaryDirectory directory;
  PipelineFixture fixture;
};

using Labels = std::vector<std::string>;

}  // namespace

TEST_CASE("an input is shown in tables as pachctl shows it", "[trigger]") {
  const auto shown = [](const char* text) { return shorthand(must(read_input(json::parse(text)))); };
  CHECK(shown(R"j({"pfs": {"repo": "a", "glob": "/*"}})j") == "a:/*");
  CHECK(shown(R"j({"cross": [{"pfs": {"repo": "a", "glob": "/"}}, {"union": [{"pfs": {"repo": "b", "glob": "/*"}},
                  {"pfs": {"repo": "c", "glob": "/x"}}]}]})j") == "(a:/ ⨯ (b:/* ∪ c:/x))");
  CHECK(shown(R"j({"join": [{"pfs": {"repo": "a", "glob": "/(*)", "join_on": "$1"}},
                           {"pfs": {"repo": "b", "glob": "/(*)", "join_on": "$1"}}]})j") == "(a:/(*) ⋈ b:/(*))");
  CHECK(shown(R"j({"group": [{"pfs": {"repo": "a", "glob": "/(*)", "group_by": "$1"}}]})j") == "(Group: a:/(*))");
}

TEST_CASE("an input written out and read again is the same", "[trigger]") {
  const Input input = must(read_input(json::parse(R"j({"cross": [
    {"join": [{"pfs": {"repo": "a", "glob": "/(*)", "join_on": "$1", "outer_join": true, "branch": "dev"}},
              {"pfs": {"repo": "b", "name": "bee", "glob": "/(*)", "join_on": "${1}", "empty_files": true}}]},
    {"group": [{"pfs": {"repo": "c", "glob": "/(*)-(*)", "group_by": "$2$1", "lazy": true}}]},
    {"union": [{"pfs": {"repo": "d", "name": "same", "glob": "/"}}, {"pfs": {"repo": "e", "name": "same", "glob": "/"}}]}
  ]})j")));
  CHECK(must(read_input(input_json(input))) == input);
  CHECK(branches_of(input).front().str() == "a@dev");
}

TEST_CASE("an input that cannot be is refused with the field's name", "[trigger]") {
  struct Case {
    const char* input;
    Code code;
    const char* said;
  };
  const auto bad = GENERATE(values<Case>({
      {R"j({})j", Code::kInvalid, "input.pfs: is required"},
      {R"j({"cross": []})j", Code::kInvalid, "input.cross: is empty"},
      {R"j({"cross": {"a": 1}})j", Code::kInvalid, "input.cross: expected a list"},
      {R"j({"cross": [7]})j", Code::kInvalid, "input.cross[0]: expected an object"},
      {R"j({"crosss": [{}]})j", Code::kInvalid, "input.crosss: no such field"},
      {R"j({"cross": [{"pfs": {"repo": "a", "glob": "/"}}, {"pfs": {"repo": "a", "branch": "b", "glob": "/"}}]})j", Code::kInvalid,
       "'a' is used more than once"},
      {R"j({"cross": [{"pfs": {"repo": "a", "glob": "/"}}, {"union": [{"pfs": {"repo": "b", "glob": "/"}},
          {"pfs": {"repo": "c", "name": "a", "glob": "/"}}]}]})j", Code::kInvalid, "'a' is used more than once"},
      {R"j({"cross": [{"pfs": {"repo": "a", "glob": "/"}}, {"pfs": {"glob": "/"}}]})j", Code::kInvalid, "input.cross[1].pfs.repo"},
      {R"j({"join": [{"pfs": {"repo": "a", "glob": "/"}}]})j", Code::kInvalid, "input.join[0].pfs.join_on: is required"},
      {R"j({"join": [{"pfs": {"repo": "a", "glob": "/(*)", "join_on": "$2"}}]})j", Code::kInvalid, "input.join[0].pfs.join_on: $2"},
      {R"j({"group": [{"pfs": {"repo": "a", "glob": "/(*)"}}]})j", Code::kInvalid, "input.group[0].pfs.group_by: is required"},
      {R"j({"pfs": {"repo": "a", "glob": "/", "outer_join": true}})j", Code::kInvalid, "input.pfs.outer_join"},
      {R"j({"cron": {"name": "tick", "spec": "@daily"}})j", Code::kUnsupported, "input.cron"},
      {R"j({"pfs": {"repo": "a", "glob": "/", "trigger": {"size": "1M"}}})j", Code::kUnsupported, "input.pfs.trigger"},
  }));
  const auto input = read_input(json::parse(bad.input));
  REQUIRE_FALSE(input);
  INFO(input.error().message);
  CHECK(input.error().code == bad.code);
  CHECK(input.error().message.find(bad.said) != std::string::npos);
}

TEST_CASE("a cross has every combination, a union every datum once", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"1", "2"});
  inputs.commit("b@master", {"x", "y"});
  inputs.fixture.make_branch("c@master");
  CHECK(inputs.labels(R"j({"cross": [{"pfs": {"repo": "a", "glob": "/*"}}, {"pfs": {"repo": "b", "glob": "/*"}}]})j") ==
        Labels{"a:/1 b:/x", "a:/1 b:/y", "a:/2 b:/x", "a:/2 b:/y"});
  CHECK(inputs.labels(R"j({"cross": [{"pfs": {"repo": "a", "glob": "/*"}}, {"pfs": {"repo": "c", "glob": "/*"}}]})j").empty());
  CHECK(inputs.labels(R"j({"union": [{"pfs": {"repo": "a", "glob": "/*"}}, {"pfs": {"repo": "b", "glob": "/*"}}]})j") ==
        Labels{"a:/1", "a:/2", "b:/x", "b:/y"});
  CHECK(inputs.labels(R"j({"union": [{"pfs": {"repo": "a", "glob": "/*"}}, {"pfs": {"repo": "a", "glob": "/1"}}]})j") ==
        Labels{"a:/1", "a:/2"});
}

TEST_CASE("an input with more datums than a job may have is refused, with its name and the numbers", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"1", "2", "3"});
  const BranchRef a = PipelineFixture::branch("a@master");
  const auto head = must(inputs.fixture.store().catalog().branch(a)).head;
  const InputRoots roots{{a, must(inputs.fixture.store().catalog().commit(*head)).root}};
  const auto refusal = [&](const char* text, std::size_t most) {
    const auto listed = list_tuples(inputs.fixture.store().tree_reader(), must(read_input(json::parse(text))), roots, most);
    if (listed) return std::string();
    CHECK(listed.error().code == Code::kTooLarge);
    return listed.error().message;
  };
  const char* const one = R"j({"pfs": {"repo": "a", "glob": "/*"}})j";
  CHECK(refusal(one, 3).empty());
  CHECK(refusal(one, 2) == "input a:/*: over 2 datums, the most that a job may have; choose a wider glob");
  const char* const both = R"j({"union": [{"pfs": {"repo": "a", "glob": "/*"}}, {"pfs": {"repo": "a", "glob": "/1"}}]})j";
  CHECK(refusal(both, 4).empty());
  CHECK(refusal(both, 3).find("input (a:/* ∪ a:/1): over 3 datums") == 0);
  const char* const cross = R"j({"cross": [{"pfs": {"repo": "a", "glob": "/*"}},
                                          {"pfs": {"repo": "a", "name": "b", "glob": "/*"}}]})j";
  CHECK(refusal(cross, 9).empty());
  CHECK(refusal(cross, 8).find("input (a:/* ⨯ a:/*): 3 x 3 datums, over 8") == 0);
  const char* const join = R"j({"join": [{"pfs": {"repo": "a", "glob": "/(*)", "join_on": "x"}},
                                        {"pfs": {"repo": "a", "name": "b", "glob": "/(*)", "join_on": "x"}}]})j";
  CHECK(refusal(join, 9).empty());
  CHECK(refusal(join, 8).find("input (a:/(*) ⋈ a:/(*))") == 0);
  const char* const group = R"j({"group": [{"pfs": {"repo": "a", "glob": "/(*)", "group_by": "$1"}}]})j";
  CHECK(refusal(group, 2).find("input a:/(*)") == 0);
}

TEST_CASE("a join has what its texts have in common, an outer one keeps the rest", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"1.a", "2.a", "3.a"});
  inputs.commit("b@master", {"1.b", "2.b", "2.bb", "4.b"});
  const std::string b = R"j({"pfs": {"repo": "b", "glob": "/(*).*", "join_on": "$1"}})j";
  CHECK(inputs.labels(R"j({"join": [{"pfs": {"repo": "a", "glob": "/(*).a", "join_on": "$1"}}, )j" + b + "]}") ==
        Labels{"a:/1.a b:/1.b", "a:/2.a b:/2.b", "a:/2.a b:/2.bb"});
  CHECK(inputs.labels(R"j({"join": [{"pfs": {"repo": "a", "glob": "/(*).a", "join_on": "$1", "outer_join": true}}, )j" + b + "]}") ==
        Labels{"a:/1.a b:/1.b", "a:/2.a b:/2.b", "a:/2.a b:/2.bb", "a:/3.a"});
  // each input of a union has its own word
  inputs.commit("c@master", {"5.c", "6.c"});
  CHECK(inputs.labels(R"j({"join": [{"union": [
      {"pfs": {"repo": "a", "glob": "/(3).a", "join_on": "$1", "outer_join": true}},
      {"pfs": {"repo": "c", "glob": "/(*).c", "join_on": "$1"}},
      {"pfs": {"repo": "a", "name": "three", "glob": "/(3).a", "join_on": "$1"}}]}, )j" + b + "]}") == Labels{"a:/3.a"});
}

TEST_CASE("a group has a datum for each text, in the order of the texts", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"1-b", "2-a", "3-b"});
  inputs.commit("b@master", {"a", "c"});
  CHECK(inputs.labels(R"j({"group": [{"pfs": {"repo": "a", "glob": "/*-(*)", "group_by": "$1"}},
                                    {"pfs": {"repo": "b", "glob": "/(*)", "group_by": "$1"}}]})j") ==
        Labels{"a:/2-a b:/a", "a:/1-b a:/3-b", "b:/c"});
}

TEST_CASE("a group has a file once that a join inside has several times", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"1-p", "1-q"});
  inputs.commit("b@master", {"1-x", "1-y"});
  CHECK(inputs.labels(R"j({"group": [{"join": [
      {"pfs": {"repo": "a", "glob": "/(*)-*", "join_on": "$1", "group_by": "$1"}},
      {"pfs": {"repo": "b", "glob": "/(*)-*", "join_on": "$1", "group_by": "$1"}}]}]})j") ==
        Labels{"a:/1-p b:/1-x b:/1-y a:/1-q"});
}

TEST_CASE("a group with different files of one name and path is refused, for a program would see one of them", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"f"});
  inputs.fixture.make_branch("b@master");
  inputs.fixture.write("b@master", "f", "another");
  inputs.fixture.finish("b@master");
  const std::string text = R"j({"group": [{"union": [
      {"pfs": {"repo": "a", "name": "x", "glob": "/(*)", "group_by": "$1"}},
      {"pfs": {"repo": "b", "name": "x", "glob": "/(*)", "group_by": "$1"}}]}]})j";
  const auto refused = inputs.try_to_list(must(read_input(json::parse(text))));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kInvalid);
  CHECK(refused.error().message.find("/pfs/x/f of one datum is a file of a@master and another of b@master") != std::string::npos);
  // the same in both is one file
  inputs.fixture.write("b@master", "f", "in f");
  inputs.fixture.finish("b@master");
  CHECK(inputs.labels(text) == Labels{"x:/f"});
}

TEST_CASE("a datum of one branch has the id that it always had", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"dir/f"});
  const Input input = must(read_input(json::parse(R"j({"pfs": {"repo": "a", "glob": "/dir/*"}})j")));
  const auto datums = inputs.list(input);
  REQUIRE(datums.size() == 1);
  CHECK(datums.front().label() == "/dir/f");
  CHECK(datums.front().size() == std::string("in dir/f").size());
  Encoder expected;
  expected.bytes("pfs.datum.1").varint(1).bytes("a").bytes("/dir/f");
  expected.raw(datums.front().files.front()->entry.data_digest().bytes()).bytes("p").bytes("salt");
  CHECK(datums.front().id == sha256(expected.str()));
}

TEST_CASE("a program sees each input in its directory, and of an input with empty_files the names", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"dir/1", "dir/2", "other"});
  inputs.commit("b@master", {"x"});
  const Input input = must(read_input(json::parse(R"j({"cross": [{"pfs": {"repo": "a", "glob": "/dir", "empty_files": true}},
                                                               {"pfs": {"repo": "b", "glob": "/"}}]})j")));
  const auto datums = inputs.list(input);
  REQUIRE(datums.size() == 1);
  auto& trees = inputs.fixture.store().trees();
  const auto& reader = inputs.fixture.store().tree_reader();
  const DatumTree view = must(make_datum_tree(trees, reader, datums.front()));
  const auto root = trees.root(view.tree);
  const auto read = [&](const char* path) { return inputs.fixture.read_node(must(trees.walk(root, must(RepoPath::parse(path))))); };
  CHECK(read("b/x") == "in x");
  CHECK(read("a/dir/1").empty());
  CHECK(trees.walk(root, must(RepoPath::parse("a/other"))).error().code == Code::kNotFound);

  // a link to a name without content brings the content
  store::MakeRequest link;
  link.kind = store::Kind::kSymlink;
  link.target = "/pfs/a/dir/2";
  must(trees.make(view.out, "two", link));
  link.target = "/pfs/a/dir";
  must(trees.make(view.out, "all", link));
  const DatumOutput output = must(collect_output(trees, reader, datums.front(), view));
  CHECK(must(reader.find(output.tree.root, "two"))->size() == 8);
  CHECK(must(reader.find(output.tree.root, "all"))->subtree.totals.bytes == 16);
}

TEST_CASE("a datum of several files is named by each of them", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"dir/1"});
  inputs.commit("b@master", {"x"});
  const auto datums = inputs.list(must(read_input(json::parse(
      R"j({"cross": [{"pfs": {"repo": "a", "glob": "/dir"}}, {"pfs": {"repo": "b", "glob": "/*"}}]})j"))));
  REQUIRE(datums.size() == 1);
  for (const char* named : {"/dir", "dir/1", "/dir/1", "/x", "x"}) CHECK(datums.front().has(named));
  for (const char* other : {"/", "/di", "/dir1", "/xy", "/y", ""}) CHECK_FALSE(datums.front().has(other));
  CHECK(datums.front().has(datums.front().files.back()->entry.data_digest().hex()));
}

TEST_CASE("the output is what is at /pfs/out when the program ends, whatever was there before", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"dir/1"});
  const Input input = must(read_input(json::parse(R"j({"pfs": {"repo": "a", "glob": "/"}})j")));
  const auto datums = inputs.list(input);
  auto& trees = inputs.fixture.store().trees();
  const auto& reader = inputs.fixture.store().tree_reader();
  const DatumTree view = must(make_datum_tree(trees, reader, datums.front()));
  const auto root = trees.root(view.tree);
  const auto collected = [&] { return collect_output(trees, reader, datums.front(), view); };
  must(trees.rename(root, "out", root, "former", store::RenameMode::kReplace));
  CHECK(collected().error().code == Code::kInvalid);
  CHECK(collected().error().message.starts_with("/pfs/out: removed"));
  store::MakeRequest made;
  made.kind = store::Kind::kSymlink;
  made.target = "/pfs/a";
  must(trees.make(root, "out", made));
  CHECK(collected().error().message.starts_with("/pfs/out: no directory"));
  must(trees.remove(root, "out", /*is_directory=*/false));
  // an input that is moved there, with what was put into it
  must(trees.rename(root, "a", root, "out", store::RenameMode::kReplace));
  made.target = "/pfs/former";
  must(trees.make(must(trees.lookup(root, "out")), "link", made));
  const DatumOutput output = must(collected());
  CHECK(must(reader.find(output.tree.root, "dir"))->subtree.totals.bytes == 8);
}

TEST_CASE("a named pipe is no output, nor by a link to one or to a directory that has got one", "[trigger]") {
  Inputs inputs;
  inputs.commit("a@master", {"dir/deep/1", "other/2"});
  const Input input = must(read_input(json::parse(R"j({"pfs": {"repo": "a", "glob": "/"}})j")));
  const auto datums = inputs.list(input);
  REQUIRE(datums.size() == 1);
  auto& trees = inputs.fixture.store().trees();
  const auto& reader = inputs.fixture.store().tree_reader();
  const DatumTree view = must(make_datum_tree(trees, reader, datums.front()));
  const auto at = [&](const char* path) { return must(trees.walk(trees.root(view.tree), must(RepoPath::parse(path)))); };
  store::MakeRequest made;
  made.kind = store::Kind::kFifo;
  must(trees.make(at("a/dir/deep"), "pipe", made));
  made.kind = store::Kind::kSymlink;
  const auto refused = [&](const char* target) {
    made.target = target;
    must(trees.make(view.out, "link", made));
    auto output = collect_output(trees, reader, datums.front(), view);
    if (output) return std::string();
    CHECK(output.error().code == Code::kInvalid);
    must(trees.remove(view.out, "link", /*is_directory=*/false));
    return output.error().message;
  };
  const std::string words = ": a named pipe, socket or device cannot be an output";
  CHECK(refused("/pfs/a/dir/deep/pipe") == "/pfs/out/link leads to /pfs/a/dir/deep/pipe" + words);
  CHECK(refused("/pfs/a/dir") == "/pfs/out/link leads to /pfs/a/dir/deep/pipe" + words);
  CHECK(refused("../a") == "/pfs/out/link leads to /pfs/a/dir/deep/pipe" + words);
  CHECK(refused("/pfs/a/other").empty());
  CHECK(must(trees.lookup(must(trees.lookup(view.out, "link")), "2")) != nullptr);
}
