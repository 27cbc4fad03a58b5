#include "api/internal/file_put.h"

#include <fmt/format.h>

#include "api/internal/refs.h"
#include "base/file.h"

namespace pfs::api {
namespace {

constexpr std::uint32_t kPermissionBits = 07777;
constexpr std::size_t kMaxData = 1 << 20;

Result<store::MakeRequest> make_request(const v1::PutFilesRequest::Start& start,
                                        const Caller& owner) {
  store::MakeRequest request;
  request.mode = start.mode() & kPermissionBits;
  request.uid = owner.uid;
  request.gid = owner.gid;
  switch (start.kind()) {
    case v1::FILE_KIND_FILE: request.kind = store::Kind::kFile; return request;
    case v1::FILE_KIND_DIRECTORY: request.kind = store::Kind::kDirectory; return request;
    case v1::FILE_KIND_SYMLINK:
      request.kind = store::Kind::kSymlink;
      request.target = start.link_target();
      return request;
    default: break;  // a wire enumeration is open: unspecified, others, and what newer clients know
  }
  return Error{Code::kUnsupported,
               fmt::format("{}: only files, directories and symbolic links can be put",
                           printable(start.path()))};
}

}  // namespace

Result<void> FilePut::take(const v1::PutFilesRequest& message) {
  if (complete_) return Error{Code::kInvalid, "put file: a message after the last one"};
  if (message.has_target()) PFS_TRY(begin(message.target()));
  if (!branch_) return Error{Code::kInvalid, "put file: the first message must name the branch"};
  if (message.has_start()) PFS_TRY(start_file(message.start()));
  if (!message.data().empty()) PFS_TRY(write(message.data()));
  complete_ = message.complete();
  return {};
}

Result<void> FilePut::begin(const v1::PutFilesRequest::Target& target) {
  if (branch_) return Error{Code::kInvalid, "put file: a second message names a branch"};
  PFS_TRY_ASSIGN(const auto ref, branch_ref(target.repo(), target.branch()));
  PFS_TRY_ASSIGN(branch_, LiveBranch::open(store_, ref, caller_, LiveBranch::IfMissing::kCreate));
  PFS_TRY_ASSIGN(staging_, store_.trees().scratch());
  append_ = target.append();
  return {};
}

Result<void> FilePut::start_file(const v1::PutFilesRequest::Start& start) {
  auto& trees = store_.trees();
  file_ = nullptr;
  offset_ = 0;
  PFS_TRY_ASSIGN(const auto path, RepoPath::parse(start.path()));
  PFS_TRY(branch_->check_target(path));
  PFS_TRY_ASSIGN(const auto request, make_request(start, caller_));
  const auto ignore = [](const store::NodePtr&, const std::string&) {};
  PFS_TRY_ASSIGN(const auto directory,
                 make_directories(trees, trees.root(staging_), path.parent(), caller_, ignore));
  auto made = trees.make(directory, path.name(), request);
  if (!made && made.error().code == Code::kExists) {
    if (request.kind == store::Kind::kDirectory) return {};  // it was made as the parent of another
    return Error{Code::kExists, fmt::format("{}:{}: is put twice in one call", branch_->ref().str(),
                                            printable(path.str()))};
  }
  if (!made) return std::move(made).error();
  if (request.kind != store::Kind::kDirectory) ++files_;
  if (request.kind == store::Kind::kFile) file_ = *made;
  return {};
}

Result<void> FilePut::write(std::string_view data) {
  if (!file_) return Error{Code::kInvalid, "put file: bytes that belong to no file"};
  if (data.size() > kMaxData)
    return Error{Code::kTooLarge, fmt::format("put file: a message of over {} bytes", kMaxData)};
  PFS_TRY(store_.trees().write(file_, offset_, as_bytes(data)));
  offset_ += data.size();
  bytes_ += data.size();
  return {};
}

Result<void> FilePut::finish(v1::PutFilesResponse& response) {
  if (!branch_) return Error{Code::kInvalid, "put file: no message named the branch"};
  const auto staged = store_.trees().root(staging_);
  const auto live = branch_->root();
  // every clash of a file with a directory is found before anything is placed
  const auto look = [](const store::NodePtr&, const store::NodePtr&, const std::string&,
                       const store::NodePtr&) { return Result<void>(); };
  PFS_TRY(for_each_pair(staged, live, look));
  PFS_TRY(for_each_pair(
      staged, live,
      [this](const store::NodePtr& from, const store::NodePtr& directory, const std::string& name,
             const store::NodePtr& there) { return graft(from, directory, name, there); }));
  PFS_TRY_ASSIGN(const auto commit, branch_->commit());
  response.set_commit(commit.hex());
  response.set_files(files_);
  response.set_bytes(bytes_);
  return {};
}

Result<void> FilePut::for_each_pair(const store::NodePtr& staged, const store::NodePtr& live,
                                    const PairVisit& visit) {
  auto& trees = store_.trees();
  return for_each_entry(trees, staged, [&](const store::ListedEntry& entry) -> Result<void> {
    PFS_TRY_ASSIGN(const auto from, trees.lookup(staged, entry.name));
    auto found = trees.lookup(live, entry.name);
    if (!found && found.error().code != Code::kNotFound) return std::move(found).error();
    const store::NodePtr there = found ? *found : nullptr;
    if (there == nullptr) return visit(from, live, entry.name, there);

    const bool from_directory = entry.stat.attributes.kind == store::Kind::kDirectory;
    const bool there_directory = trees.kind(there) == store::Kind::kDirectory;
    if (from_directory && there_directory) return for_each_pair(from, there, visit);
    if (from_directory || there_directory) {
      return Error{there_directory ? Code::kIsDirectory : Code::kNotDirectory,
                   fmt::format("{}:{}: is {} directory; delete it first, or choose another path",
                               branch_->ref().str(), printable(trees.path(there)),
                               there_directory ? "a" : "no")};
    }
    return visit(from, live, entry.name, there);
  });
}

Result<void> FilePut::graft(const store::NodePtr& staged, const store::NodePtr& live_directory,
                            const std::string& name, const store::NodePtr& live) {
  auto& trees = store_.trees();
  const bool both_files = live != nullptr && trees.kind(staged) == store::Kind::kFile &&
                          trees.kind(live) == store::Kind::kFile;
  if (!append_ || !both_files) return branch_->place(staged, live_directory, name);
  std::vector<store::NodePtr> losers;
  {
    Lock lock(append_mutex_);  // two calls that append to one file must not both start from the
                               // same bytes
    PFS_TRY(append(staged, live_directory, name, losers));
  }
  branch_->tell_mount(live_directory, name, losers);
  return {};
}

Result<void> FilePut::append(const store::NodePtr& staged, const store::NodePtr& live_directory,
                             const std::string& name, std::vector<store::NodePtr>& losers) {
  auto& trees = store_.trees();
  PFS_TRY_ASSIGN(const auto live, trees.lookup(live_directory, name));
  PFS_TRY_ASSIGN(const auto old, trees.stat(live));
  PFS_TRY_ASSIGN(const auto added, trees.stat(staged));
  PFS_TRY_ASSIGN(const auto scratch, trees.scratch());
  store::MakeRequest request;
  request.mode = old.attributes.mode;
  request.uid = old.attributes.uid;
  request.gid = old.attributes.gid;
  PFS_TRY_ASSIGN(const auto joined, trees.make(trees.root(scratch), name, request));
  PFS_TRY(trees.copy_range(live, 0, joined, 0, old.size));
  PFS_TRY(trees.copy_range(staged, 0, joined, old.size, added.size));
  PFS_TRY(trees.copy_entry(joined, live_directory, name));
  losers.push_back(live);
  return {};
}

}  // namespace pfs::api
