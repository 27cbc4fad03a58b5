#include "format/make_whole.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "api/client/branches.h"
#include "api/client/commits.h"
#include "api/client/connection.h"
#include "api/client/files.h"
#include "api/client/repos.h"
#include "api/client/transactions.h"
#include "api/server.h"
#include "format/archive.h"
#include "format/hand.h"
#include "format/whole_archive.h"
#include "store/events.h"
#include "store/pack/pack_format.h"

namespace pfs::test {
namespace {

using whole::Stage;

constexpr std::uint64_t kSealWholeAt = 1'500;  // so that what one turn of the packer packs is sealed by the next

constexpr const char* kChanged = "whole@open";
constexpr const char* kChangedBig = "whole@big";
constexpr const char* kBegunByHand = "whole@by-hand";

void write_stage(Hand& hand, Stage stage) {
  for (const auto& file : whole::files()) {
    if (file.stage != stage) continue;
    hand.parents(file.branch, file.path);
    hand.file(file.branch, file.path, file.bytes);
  }
  for (const auto& node : whole::nodes()) {
    if (node.stage != stage) continue;
    hand.parents(node.branch, node.path);
    hand.make(node.branch, node.path, node.request);
  }
  for (const auto& link : whole::links()) {
    if (link.stage != stage || stage == Stage::kOpen) continue;
    for (std::size_t i = 1; i < link.paths.size(); ++i) {
      hand.parents(link.branch, link.paths[i]);
      hand.link(link.branch, link.paths.front(), link.paths[i]);
    }
  }
  for (const auto& xattr : whole::xattrs()) {
    if (xattr.stage != stage) continue;
    must(hand.trees().set_xattr(hand.at(xattr.branch, xattr.path), xattr.name, xattr.value));
  }
}

/// A listener that has been told of what has happened so far, and not of what follows.
void listen(store::Store& store) {
  const auto feed = must(store::EventFeed::start(store.refs(), whole::kListener, store::EventStart::kOldest,
                                                 [](std::span<const store::RefEvent>) { return Result<void>(); }));
  for (int waited = 0; !feed->position(); ++waited) {
    if (waited == 30'000) throw std::runtime_error("a listener is told of no event");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void say_settings(Hand& hand) {
  for (const auto& each : whole::settings()) {
    store::CreateBranch branch;
    branch.ref = Hand::ref(each.branch);
    branch.create_repo = true;
    branch.policy = each.policy;
    branch.owner = each.owner;
    store::RelateBranch relation;
    relation.ref = branch.ref;
    if (!each.provenance.empty()) relation.provenance = each.provenance;
    relation.trigger = each.trigger;
    const std::array<store::RefStep, 2> steps{std::move(branch), std::move(relation)};
    must(hand.catalog().transact(steps));
  }
}

void upload(const client::Connection& connection, const std::string& branch, const std::string& path, const std::string& bytes,
            bool append) {
  client::Upload::Options options;
  options.append = append;
  client::Upload call(connection, Hand::ref(branch), options);
  client::Upload::Attributes attributes;
  attributes.modified = Timestamp{kArchiveBegin * 1'000'000'000};
  must(call.begin_file(must(RepoPath::parse(path)), attributes));
  must(call.data(bytes));
  must(call.finish());
}

/// What a client asks for and does not finish: a repo with a branch and a file, and a commit of a branch that is there.
void queue_transaction(store::Store& store, const std::string& directory) {
  const std::string queue = "whole@queue";
  const std::string made = "queued@master";
  api::ServerOptions options;
  options.socket_path = directory + "/socket";
  options.store = &store;
  options.version = "archive";
  const auto server = must(api::Server::start(options));
  const auto connection = must(client::Connection::to_socket(options.socket_path));
  connection->set_transaction(must(client::Transactions(*connection).start()).id);

  must(client::Repos(*connection).create(must(RepoName::parse("queued")), "made by a transaction"));
  must(client::Branches(*connection).create(Hand::ref(made), {}));
  upload(*connection, made, "/a/put.txt", whole::queued_bytes(made, "/a/put.txt"), false);

  const client::Files files(*connection);
  const auto in_queue = must(CommitRef::parse(queue));
  const auto path = [](const std::string& text) { return must(RepoPath::parse(text)); };
  must(client::Commits(*connection).start(Hand::ref(queue), std::nullopt, "promised by a transaction"));
  upload(*connection, queue, "/new.txt", whole::queued_bytes(queue, "/new.txt"), false);
  upload(*connection, queue, "/log.txt", whole::queued_bytes(queue, "/log.txt").substr(whole::log_before().size()), true);
  must(files.copy({in_queue, path("/kept.txt")}, Hand::ref(queue), path("/copy.txt"), false));
  must(files.remove(Hand::ref(queue), {path("/gone.txt")}));
  must(client::Commits(*connection).finish(in_queue, "queued"));
  server->stop();
}

/// Commits whose objects lie in packs that a repack has made, in packs that none has made, and in rows.
void write_commits(store::Store& store, Hand& hand, const std::string& directory) {
  must(hand.catalog().create_repo(must(RepoName::parse("whole")), "packed, linked, spooled and queued"));
  for (const auto* branch : {"whole@master", "whole@big", "whole@queue"}) hand.branch(branch);
  write_stage(hand, Stage::kFirst);
  hand.commit("whole@master", "packed twice");
  hand.commit("whole@big", "a big file");
  listen(store);
  must(store.pack());

  write_stage(hand, Stage::kSecond);
  hand.commit("whole@master", "packed twice, a pack later");
  hand.commit("whole@queue", "what a transaction goes on from");
  must(store.pack());
  const auto repacked = must(store.repack({}));
  if (repacked.packs_rewritten < 2 || repacked.damaged != 0) {
    throw std::runtime_error("the repack has not rewritten what is packed");
  }

  say_settings(hand);
  queue_transaction(store, directory);
  write_stage(hand, Stage::kThird);
  hand.commit("whole@master", "packed once");
  must(store.pack());

  write_stage(hand, Stage::kHot);
  hand.commit("whole@master", "not packed");
}

/// Files whose bytes are staged in all ways that there are.
void write_staged(Hand& hand) {
  const auto& spooled = whole::staged_bytes(kChanged, "/spooled");
  const auto file = hand.file(kChanged, "/spooled", spooled.substr(0, whole::kSpoolPart));
  hand.write(file, whole::kSpoolPart, spooled.substr(whole::kSpoolPart, whole::kSpoolPart));
  // from here on two files have the spool, so the next write makes another
  const auto copy = hand.file(kChanged, "/from-spool", "");
  must(hand.trees().copy_range(file, whole::kSpoolPart, copy, 0, whole::kCopiedFromSpool));
  hand.write(file, 2 * whole::kSpoolPart, spooled.substr(2 * whole::kSpoolPart));

  const auto again = hand.file(kChanged, "/rewritten", "");
  for (int times = 1; times <= whole::kRewrites; ++times) hand.write(again, 0, whole::rewritten(times));

  hand.write(hand.at(kChangedBig, "/big"), whole::kEditedAt, whole::edit());
  hand.remove(kChangedBig, "/zeros", false);

  // its row has not followed its bytes: the next open finds them in the staging log
  const auto& written = whole::staged_bytes(kChanged, "/being-written");
  const auto open = hand.file(kChanged, "/being-written", written.substr(0, whole::kFlushed));
  hand.write(open, whole::kFlushed, written.substr(whole::kFlushed), false);
}

/// Hard links that get a name more, lose one, are written through one and move with their directory.
void change_links(Hand& hand) {
  hand.link(kChanged, "/linked/one", "/open/four");
  hand.link(kChanged, "/open/fresh", "/open/fresh-too");
  hand.rename(kChanged, "/elsewhere", kChanged, "/moved");
  hand.write(hand.at(kChanged, "/moved/small"), 0, whole::staged_bytes(kChanged, "/moved/small"));
  hand.remove(kChanged, "/linked/pair", false);
}

/// A commit that was opened by hand and begins with a tree of its own, with a change over that.
void begin_by_hand(Hand& hand) {
  const auto ref = Hand::ref(kBegunByHand);
  auto& trees = hand.trees();
  store::StartCommit start;
  start.ref = ref;
  start.description = "opened by hand";
  store::ChangeFiles files;
  files.ref = ref;
  files.author = "archivist";
  files.change = [&](const store::TreePtr& tree) -> Result<void> {
    PFS_TRY_ASSIGN(const auto directory,
                   trees.make(trees.root(tree), "tree", {store::Kind::kDirectory, 0755, 0, 0, 0, {}, true}));
    PFS_TRY_ASSIGN(const auto file, trees.make(directory, "inside", {store::Kind::kFile, 0644, 0, 0, 0, {}, true}));
    return trees.write(file, 0, as_bytes(whole::staged_bytes(kBegunByHand, "/tree/inside")));
  };
  const std::array<store::RefStep, 2> steps{std::move(start), std::move(files)};
  must(hand.catalog().transact(steps));
  hand.file(kBegunByHand, "/live", whole::staged_bytes(kBegunByHand, "/live"));
}

void change_open(Hand& hand) {
  hand.branch(kChanged, must(hand.catalog().branch(Hand::ref("whole@master"))).head);
  hand.branch(kBegunByHand, must(hand.catalog().branch(Hand::ref("whole@queue"))).head);
  write_stage(hand, Stage::kOpen);
  change_links(hand);
  hand.remove(kChanged, "/first/file-001", false);
  store::AttributeChange mode;
  mode.mode = 0600;
  hand.change(hand.at(kChanged, "/first/file-002"), mode);
  must(hand.trees().set_xattr(hand.at(kChanged, "/first/file-000"), "user.small", std::nullopt));
  begin_by_hand(hand);
  write_staged(hand);  // the last: a commit or a transaction of refs can bring rows up to date
}

void require(bool is, const std::string& what) {
  if (!is) throw std::runtime_error("the store should have " + what);
}

std::set<store::ObjectKind> kinds_in(store::Store& store, store::Family family) {
  std::set<store::ObjectKind> kinds;
  must(store.local().scan(family, {}, std::string(64, '\xff'), [&](std::string_view key, std::string_view) {
    kinds.insert(must(store::decode_object_key(key)).kind);
    return true;
  }));
  return kinds;
}

/// How many packs there are below a directory, by what they hold and whether a repack has made them.
std::map<std::pair<store::PackKind, bool>, int> packs_in(const std::string& path) {
  constexpr std::size_t kKindAt = 9;
  std::map<std::pair<store::PackKind, bool>, int> found;
  for (boost::filesystem::recursive_directory_iterator file(path), end; file != end; ++file) {
    if (!boost::filesystem::is_regular_file(file->path())) continue;
    std::string header(store::kPackHeaderSize, '\0');
    std::ifstream(file->path().string(), std::ios::binary).read(header.data(), static_cast<std::streamsize>(header.size()));
    ++found[{static_cast<store::PackKind>(header[kKindAt]), store::is_repacked(header)}];
  }
  return found;
}

/// All that the archive is made for. A limit that is changed may put things elsewhere.
void require_whole(store::Store& store, const std::string& path) {
  using store::ObjectKind;
  using store::PackKind;
  const std::set all{ObjectKind::kChunk, ObjectKind::kNode, ObjectKind::kList, ObjectKind::kCommit, ObjectKind::kXattrs};
  require(kinds_in(store, store::Family::kHot) == all, "hot rows of every kind");
  auto packed = all;
  packed.insert(ObjectKind::kRefs);
  require(kinds_in(store, store::Family::kIndex) == packed, "packed objects of every kind");
  auto sealed = packs_in(path + "/packs");
  for (const auto kind : {PackKind::kData, PackKind::kMeta}) {
    const auto name = fmt::format(" packs of kind {}", static_cast<int>(kind));
    require(sealed[{kind, true}] > 0, "repacked" + name);
    require(sealed[{kind, false}] > 0, "sealed and not repacked" + name);
  }
  require(!packs_in(path + "/open").empty(), "open packs");
  constexpr std::ptrdiff_t kSpools = 4;  // two of one file, one of what is written over and over, one of the big file
  const boost::filesystem::directory_iterator spool(path + "/stage/spool");
  require(std::distance(spool, boost::filesystem::directory_iterator()) == kSpools, "a spool for each file that wants one");
  require(must(store.refs().get(std::string("cursor/") + whole::kListener)).has_value(), "a cursor");
  for (const auto& missing : whole::missing_in(store)) require(false, "what was written; " + missing);
}

}  // namespace

int write_whole(const std::string& directory) try {
  const ArchiveClock clock(kArchiveBegin, true);
  store::StoreOptions options;
  options.path = directory + "/store";
  options.clock = &clock;
  options.automatic_commits = false;
  options.packing.automatic = false;
  options.seal_pack_at = kSealWholeAt;
  const auto store = must(store::Store::open(options));
  Hand hand(*store);
  write_commits(*store, hand, directory);
  change_open(hand);
  require_whole(*store, options.path);
  std::_Exit(0);
} catch (const std::exception& e) {
  std::ofstream(directory + "/error") << e.what();
  return 1;
}

}  // namespace pfs::test
