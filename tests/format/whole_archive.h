#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"

namespace pfs::test::whole {

// What the archive `v1-whole` is made of: make_archive writes it, and the tests look for it.

/// When something is written, which decides where its objects lie.
enum class Stage {
  kFirst,   ///< committed and packed, and packed again by a repack
  kSecond,  ///< the same, a pack later
  kThird,   ///< committed and packed after the repack
  kHot,     ///< committed and not packed
  kOpen,    ///< not committed
};

struct File {
  Stage stage = Stage::kFirst;
  std::string branch;
  std::string path;
  std::string bytes;
};
/// Written in one go, and never changed in their branches.
const std::vector<File>& files();
/// What branches have in the end that is not committed and comes about in other ways.
const std::vector<File>& staged_files();
/// Of those. Throws where there is no such file.
const std::string& staged_bytes(const std::string& branch, const std::string& path);

/// Everything that is neither file nor directory.
struct Node {
  Stage stage = Stage::kFirst;
  std::string branch;
  std::string path;
  store::MakeRequest request;
};
std::vector<Node> nodes();

/// All names of one file. Those of kOpen are what is made of the others in a branch of its own.
struct Link {
  Stage stage = Stage::kFirst;
  std::string branch;
  std::vector<std::string> paths;
};
std::vector<Link> links();

struct Xattr {
  Stage stage = Stage::kFirst;
  std::string branch;
  std::string path;
  std::string name;
  std::string value;
};
std::vector<Xattr> xattrs();

/// What was in HEAD, and is not in the branch.
struct Gone {
  std::string branch;
  std::string path;
};
std::vector<Gone> gone();

/// Branches that somebody has said something of, in the order in which they can be made.
struct Settings {
  std::string branch;
  store::PolicySettings policy;
  std::optional<store::DirectoryOwner> owner;
  std::optional<store::BranchTrigger> trigger;
  std::vector<BranchRef> provenance;
};
std::vector<Settings> settings();

/// The parts in which the file `/spooled` is written: the first into the log, the second into a spool, what is left into one
/// over it.
inline constexpr std::uint64_t kSpoolPart = std::uint64_t{1} << 20U;
/// How much of its second part another file refers to.
inline constexpr std::uint64_t kCopiedFromSpool = 65'536;
/// Where `/big` is written over, and with what.
inline constexpr std::uint64_t kEditedAt = std::uint64_t{8} << 20U;
std::string edit();
/// What `/rewritten` holds after so many times: always as many bytes.
inline constexpr int kRewrites = 40;  // its spool comes with the 29th
std::string rewritten(int times);
/// How much of `/being-written` its row knows of.
inline constexpr std::size_t kFlushed = 1000;

/// The name under which a listener has been told of events.
inline constexpr const char* kListener = "archive";

/// What a client has queued in a transaction, as the branches have it when that is carried out.
const std::vector<File>& queued_files();
/// Of those. Throws where there is no such file.
const std::string& queued_bytes(const std::string& branch, const std::string& path);
inline constexpr std::size_t kQueuedRequests = 9;
/// What `/log.txt` has before; what is queued comes behind it.
std::string log_before();

/// What of `expected` a store does not have as it should, in words.
std::vector<std::string> missing_files(store::Store& store, const std::vector<File>& expected);
/// The same of everything but what is queued.
std::vector<std::string> missing_in(store::Store& store);

}  // namespace pfs::test::whole
