#include "format/whole_archive.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <span>
#include <stdexcept>

#include <fmt/format.h>

#include "format/archive.h"
#include "support/must.h"

namespace pfs::test::whole {

namespace {

using store::Kind;

constexpr const char* kMaster = "whole@master";
constexpr const char* kBig = "whole@big";
constexpr const char* kOpenBranch = "whole@open";
constexpr const char* kByHand = "whole@by-hand";
constexpr const char* kQueue = "whole@queue";
constexpr const char* kTuned = "whole@tuned";

/// One chunk each, that cannot be compressed: their digests fill nodes.
void add_small(Stage stage, const std::string& directory, int count, std::vector<File>& all) {
  for (int i = 0; i < count; ++i) {
    all.push_back({stage, kMaster, fmt::format("/{}/file-{:03}", directory, i), noise(fmt::format("{} {}", directory, i), 150)});
  }
}

std::string repeated(const std::string& unit, std::size_t times) {
  std::string all;
  all.reserve(unit.size() * times);
  for (std::size_t i = 0; i < times; ++i) all += unit;
  return all;
}

/// 17 MB that take little room: two digests of the stretch's chunks end a node, so that its list has two levels.
std::string big() { return repeated(noise("big 8", 150'000) + text("big 8", 900'000), 17); }

std::string big_edited() {
  std::string all = big();
  const std::string over = edit();
  return all.replace(kEditedAt, over.size(), over);
}

std::string spooled() {
  std::string all = repeated(text("spooled", 60'000), 36);
  all.resize(2 * kSpoolPart + 100);
  return all;
}

const std::string& bytes_in(const std::vector<File>& all, const std::string& branch, const std::string& path) {
  const auto is_meant = [&](const File& file) { return file.branch == branch && file.path == path; };
  const auto found = std::find_if(all.begin(), all.end(), is_meant);
  if (found == all.end()) throw std::runtime_error(branch + ":" + path + ": is not in the table");
  return found->bytes;
}

store::NodePtr root_of(store::Store& store, const std::string& branch) {
  auto& trees = store.trees();
  return trees.root(must(trees.branch(must(BranchRef::parse(branch)))));
}

store::NodePtr node_at(store::Store& store, const std::string& branch, const std::string& path) {
  return must(store.trees().walk(root_of(store, branch), must(RepoPath::parse(path))));
}

bool has_bytes(store::Store& store, const File& file) {
  auto& trees = store.trees();
  const auto node = node_at(store, file.branch, file.path);
  if (trees.kind(node) != Kind::kFile || must(trees.stat(node)).size != file.bytes.size()) return false;
  std::string found(file.bytes.size(), '\0');
  const auto got = must(trees.read(node, 0, std::as_writable_bytes(std::span(found.data(), found.size()))));
  return got == found.size() && found == file.bytes;
}

bool has_node(store::Store& store, const Node& node) {
  auto& trees = store.trees();
  const auto found = node_at(store, node.branch, node.path);
  const auto about = must(trees.stat(found)).attributes;
  const auto& asked = node.request;
  return about.kind == asked.kind && about.mode == asked.mode && about.uid == asked.uid && about.gid == asked.gid &&
         about.rdev == asked.rdev && (asked.kind != Kind::kSymlink || must(trees.read_link(found)) == asked.target);
}

bool is_linked(store::Store& store, const Link& link) {
  auto& trees = store.trees();
  const auto first = node_at(store, link.branch, link.paths.front());
  const auto stat = must(trees.stat(first));
  if (stat.links != link.paths.size() || (stat.link_id != 0) != (link.paths.size() > 1)) return false;
  const auto is_first = [&](const auto& path) { return node_at(store, link.branch, path) == first; };
  return std::all_of(link.paths.begin(), link.paths.end(), is_first);
}

bool has_xattr(store::Store& store, const Xattr& xattr) {
  const auto all = must(store.trees().xattrs(node_at(store, xattr.branch, xattr.path)));
  const auto found = all.find(xattr.name);
  return found != all.end() && found->second == xattr.value;
}

bool is_gone(store::Store& store, const Gone& one) {
  const auto found = store.trees().walk(root_of(store, one.branch), must(RepoPath::parse(one.path)));
  return !found && found.error().code == Code::kNotFound;
}

bool is_set(store::Store& store, const Settings& expected) {
  const auto branch = must(store.catalog().branch(must(BranchRef::parse(expected.branch))));
  const auto same_owner = [&] {
    if (!branch.owner || !expected.owner) return branch.owner.has_value() == expected.owner.has_value();
    return branch.owner->uid == expected.owner->uid && branch.owner->gid == expected.owner->gid;
  };
  return branch.policy == expected.policy && branch.trigger == expected.trigger && branch.provenance == expected.provenance &&
         same_owner();
}

/// Adds what a look says is wrong, or why it could not be looked at.
void look(const std::string& what, const std::function<bool()>& is_right, std::vector<std::string>& missing) {
  try {
    if (!is_right()) missing.push_back(what + ": is not what it should be");
  } catch (const std::exception& e) {
    missing.push_back(what + ": " + e.what());
  }
}

std::vector<File> make_files() {
  std::vector<File> all;
  add_small(Stage::kFirst, "first", 70, all);
  add_small(Stage::kSecond, "second", 60, all);
  add_small(Stage::kThird, "third", 60, all);
  add_small(Stage::kHot, "hot", 12, all);
  all.push_back({Stage::kFirst, kBig, "/big", big()});
  all.push_back({Stage::kFirst, kBig, "/zeros", std::string(3'000'000, '\0')});  // a run of equal chunks
  all.push_back({Stage::kFirst, kMaster, "/linked/one", text("linked", 5000)});
  all.push_back({Stage::kFirst, kMaster, "/linked/small", "short\n"});
  all.push_back({Stage::kFirst, kMaster, "/linked/pair", text("pair", 500)});
  all.push_back({Stage::kSecond, kQueue, "/kept.txt", text("kept", 2000)});
  all.push_back({Stage::kSecond, kQueue, "/gone.txt", "to go\n"});
  all.push_back({Stage::kSecond, kQueue, "/log.txt", log_before()});
  all.push_back({Stage::kThird, kMaster, "/third/list", text("base", 150'000)});  // several chunks, as the next
  all.push_back({Stage::kHot, kMaster, "/hot/list", text("hot", 150'000)});
  all.push_back({Stage::kOpen, kOpenBranch, "/open/fresh", text("fresh", 5000)});
  all.push_back({Stage::kOpen, kOpenBranch, "/open/inline", "in the log\n"});
  all.push_back({Stage::kOpen, kTuned, "/staged", text("tuned", 1000)});
  return all;
}

std::vector<File> make_staged_files() {
  const std::string all_spooled = spooled();
  const std::string small = "written through one name of two\n";
  return {
      {Stage::kOpen, kBig, "/big", big_edited()},
      {Stage::kOpen, kOpenBranch, "/spooled", all_spooled},
      {Stage::kOpen, kOpenBranch, "/from-spool", all_spooled.substr(kSpoolPart, kCopiedFromSpool)},
      {Stage::kOpen, kOpenBranch, "/rewritten", rewritten(kRewrites)},
      {Stage::kOpen, kOpenBranch, "/being-written", text("being written", 3000)},
      {Stage::kOpen, kOpenBranch, "/linked/small", small},
      {Stage::kOpen, kOpenBranch, "/moved/small", small},
      {Stage::kOpen, kByHand, "/tree/inside", text("inside", 2000)},
      {Stage::kOpen, kByHand, "/live", text("live", 2000)},
  };
}

std::vector<File> make_queued_files() {
  return {
      {Stage::kOpen, "queued@master", "/a/put.txt", text("put", 1500)},
      {Stage::kOpen, kQueue, "/new.txt", text("new", 200'000)},
      {Stage::kOpen, kQueue, "/log.txt", log_before() + "and a line more\n"},
      {Stage::kOpen, kQueue, "/kept.txt", text("kept", 2000)},
      {Stage::kOpen, kQueue, "/copy.txt", text("kept", 2000)},
  };
}

}  // namespace

const std::vector<File>& files() {
  static const std::vector<File> all = make_files();
  return all;
}

const std::vector<File>& staged_files() {
  static const std::vector<File> all = make_staged_files();
  return all;
}

const std::string& staged_bytes(const std::string& branch, const std::string& path) {
  return bytes_in(staged_files(), branch, path);
}

const std::vector<File>& queued_files() {
  static const std::vector<File> all = make_queued_files();
  return all;
}

const std::string& queued_bytes(const std::string& branch, const std::string& path) {
  return bytes_in(queued_files(), branch, path);
}

std::string edit() { return repeated(text("edit", 65'536), kSpoolPart / 65'536); }
std::string rewritten(int times) { return text(fmt::format("time {}", times), 10'000); }
std::string log_before() { return text("log", 1000); }

std::vector<Node> nodes() {
  return {
      {Stage::kFirst, kMaster, "/latest", {Kind::kSymlink, 0777, 0, 0, 0, "hot/list", true}},
      {Stage::kFirst, kMaster, "/far", {Kind::kSymlink, 0777, 0, 0, 0, "first/" + std::string(300, 'x'), true}},
      {Stage::kFirst, kMaster, "/linked/fifo", {Kind::kFifo, 0600, 7, 8, 0, {}, true}},
      {Stage::kFirst, kMaster, "/devices/null", {Kind::kCharacterDevice, 0666, 0, 0, 0x103, {}, true}},
      {Stage::kSecond, kMaster, "/devices/disk", {Kind::kBlockDevice, 0660, 0, 6, 0x800, {}, true}},
      {Stage::kThird, kMaster, "/devices/socket", {Kind::kSocket, 0755, 0, 0, 0, {}, true}},
      {Stage::kOpen, kOpenBranch, "/open/symlink", {Kind::kSymlink, 0777, 0, 0, 0, "fresh", true}},
      {Stage::kOpen, kOpenBranch, "/open/fifo", {Kind::kFifo, 0644, 0, 0, 0, {}, true}},
  };
}

std::vector<Link> links() {
  return {
      {Stage::kFirst, kMaster, {"/linked/one", "/linked/two", "/elsewhere/three"}},
      {Stage::kFirst, kMaster, {"/linked/small", "/elsewhere/small"}},
      {Stage::kFirst, kMaster, {"/linked/pair", "/elsewhere/pair"}},
      {Stage::kFirst, kMaster, {"/linked/fifo", "/elsewhere/fifo"}},
      {Stage::kHot, kMaster, {"/hot/list", "/elsewhere/list"}},
      {Stage::kOpen, kOpenBranch, {"/linked/one", "/linked/two", "/moved/three", "/open/four"}},
      {Stage::kOpen, kOpenBranch, {"/linked/small", "/moved/small"}},
      {Stage::kOpen, kOpenBranch, {"/moved/pair"}},
      {Stage::kOpen, kOpenBranch, {"/linked/fifo", "/moved/fifo"}},
      {Stage::kOpen, kOpenBranch, {"/hot/list", "/moved/list"}},
      {Stage::kOpen, kOpenBranch, {"/open/fresh", "/open/fresh-too"}},
  };
}

std::vector<Xattr> xattrs() {
  return {
      {Stage::kFirst, kMaster, "/first/file-000", "user.small", "small"},
      {Stage::kFirst, kMaster, "/linked/one", "user.big", noise("xattr one", 1000)},
      {Stage::kFirst, kMaster, "/linked/one", "user.more", "beside a big one"},
      {Stage::kFirst, kMaster, "/linked", "user.directory", noise("xattr directory", 300)},
      {Stage::kSecond, kMaster, "/second/file-000", "user.big", noise("xattr second", 5000)},
      {Stage::kThird, kMaster, "/third/list", "user.big", noise("xattr third", 400)},
      {Stage::kHot, kMaster, "/hot/list", "user.big", noise("xattr hot", 700)},
      {Stage::kOpen, kOpenBranch, "/open/fresh", "user.big", noise("xattr open", 900)},
      {Stage::kOpen, kOpenBranch, "/open/inline", "user.small", "open"},
  };
}

std::vector<Gone> gone() {
  return {{kOpenBranch, "/elsewhere"}, {kOpenBranch, "/linked/pair"}, {kOpenBranch, "/first/file-001"}, {kBig, "/zeros"}};
}

std::vector<Settings> settings() {
  const auto ms = [](int count) { return std::chrono::milliseconds(count); };
  store::BranchTrigger trigger;
  trigger.branch = must(BranchName::parse("master"));
  trigger.cron = "@daily";
  trigger.size = "1MB";
  trigger.commits = 3;
  trigger.all = true;
  const store::DirectoryOwner owner{1000, 1001};
  return {
      {kTuned, {store::CommitWhen::kManual, ms(5000), ms(0)}, owner, {}, {}},
      {"whole@follows", {store::CommitWhen::kClose, {}, {}}, {}, trigger, {}},
      {"other@derived", {{}, ms(250), ms(90'000)}, owner, {}, {must(BranchRef::parse(kMaster)), must(BranchRef::parse(kTuned))}},
  };
}

std::vector<std::string> missing_files(store::Store& store, const std::vector<File>& expected) {
  std::vector<std::string> missing;
  for (const auto& file : expected) look(file.branch + ":" + file.path, [&] { return has_bytes(store, file); }, missing);
  return missing;
}

std::vector<std::string> missing_in(store::Store& store) {
  auto missing = missing_files(store, staged_files());
  const auto all_gone = gone();
  for (const auto& file : files()) {
    const auto same = [&](const auto& other) { return other.branch == file.branch && other.path == file.path; };
    if (std::any_of(staged_files().begin(), staged_files().end(), same)) continue;
    if (std::any_of(all_gone.begin(), all_gone.end(), same)) continue;
    look(file.branch + ":" + file.path, [&] { return has_bytes(store, file); }, missing);
  }
  for (const auto& node : nodes()) look(node.branch + ":" + node.path, [&] { return has_node(store, node); }, missing);
  for (const auto& link : links()) {
    look(link.branch + ":" + link.paths.front() + ", linked", [&] { return is_linked(store, link); }, missing);
  }
  for (const auto& xattr : xattrs()) {
    look(xattr.branch + ":" + xattr.path + " " + xattr.name, [&] { return has_xattr(store, xattr); }, missing);
  }
  for (const auto& one : all_gone) look(one.branch + ":" + one.path + ", gone", [&] { return is_gone(store, one); }, missing);
  for (const auto& one : settings()) look(one.branch, [&] { return is_set(store, one); }, missing);
  return missing;
}

}  // namespace pfs::test::whole
