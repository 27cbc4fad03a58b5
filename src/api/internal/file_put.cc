#include "api/internal/file_put.h"

#include <fmt/format.h>

#include "api/internal/refs.h"
#include "api/wire/time.h"
#include "base/fault.h"
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
  PFS_FAULT_POINT("api.put.message");
  if (complete_) return Error{Code::kInvalid, "put file: a message after the last one"};
  if (message.has_target()) PFS_TRY(begin(message.target()));
  if (!change_) return Error{Code::kInvalid, "put file: the first message must name the branch"};
  if (!message.remove().empty()) {
    PFS_TRY_ASSIGN(const auto path, RepoPath::parse(message.remove()));
    PFS_TRY(change_->remove(path));
  }
  if (message.has_start()) PFS_TRY(start(message.start()));
  if (!message.data().empty()) PFS_TRY(write(message.data()));
  complete_ = message.complete();
  if (complete_) PFS_TRY(end_file());
  return {};
}

Result<void> FilePut::begin(const v1::PutFilesRequest::Target& target) {
  if (change_) return Error{Code::kInvalid, "put file: a second message names a branch"};
  PFS_TRY_ASSIGN(const auto said, commit_ref(target.repo(), target.branch()));
  PFS_TRY_ASSIGN(const auto ref, changes_.target(said));
  StagedChange::Options options;
  options.append = target.append();
  options.set_directories = target.set_directories();
  PFS_TRY_ASSIGN(change_, changes_.begin(ref, options));
  return {};
}

Result<void> FilePut::start(const v1::PutFilesRequest::Start& start) {
  PFS_TRY(end_file());
  PFS_TRY_ASSIGN(const auto path, RepoPath::parse(start.path()));
  if (start.keep()) return keep(path, start);
  PFS_TRY_ASSIGN(const auto request, make_request(start, caller_));
  auto made = change_->make(path, request);
  if (!made && made.error().code == Code::kExists) return start_again(path, start);
  if (!made) return std::move(made).error();
  if (request.kind != store::Kind::kDirectory && ++files_ == 1) first_ = path;
  file_ = *std::move(made);
  offset_ = 0;
  if (start.has_modified()) modified_ = time_of(start.modified());
  return {};
}

// A directory that was made as the parent of something, or whose time is said behind what is in it.
Result<void> FilePut::start_again(const RepoPath& path, const v1::PutFilesRequest::Start& start) {
  PFS_TRY_ASSIGN(const auto staged, change_->staged(path));
  const bool both = start.kind() == v1::FILE_KIND_DIRECTORY &&
                    store_.trees().kind(staged) == store::Kind::kDirectory;
  if (!both) {
    return Error{Code::kExists, fmt::format("{}:{}: is put twice in one call", change_->ref().str(),
                                            printable(path.str()))};
  }
  store::AttributeChange change;
  change.mode = start.mode() & kPermissionBits;
  if (start.has_modified()) change.mtime = time_of(start.modified());
  PFS_TRY(store_.trees().set_attributes(staged, change));
  return {};
}

Result<void> FilePut::keep(const RepoPath& path, const v1::PutFilesRequest::Start& start) {
  auto& trees = store_.trees();
  PFS_TRY_ASSIGN(const auto live, change_->live(path));
  if (trees.kind(live) == store::Kind::kDirectory) {
    return Error{Code::kIsDirectory, fmt::format("{}:{}: is a directory, and no file to be kept",
                                                 change_->ref().str(), printable(path.str()))};
  }
  PFS_TRY_ASSIGN(const auto staged, change_->copy(live, path));
  store::AttributeChange change;
  change.mode = start.mode() & kPermissionBits;
  if (start.has_modified()) change.mtime = time_of(start.modified());
  PFS_TRY(trees.set_attributes(staged, change));
  ++files_;
  return {};
}

Result<void> FilePut::write(std::string_view data) {
  if (!file_ || store_.trees().kind(file_) != store::Kind::kFile)
    return Error{Code::kInvalid, "put file: bytes that belong to no file"};
  if (data.size() > kMaxData)
    return Error{Code::kTooLarge, fmt::format("put file: a message of over {} bytes", kMaxData)};
  PFS_TRY(store_.trees().write(file_, offset_, as_bytes(data)));
  offset_ += data.size();
  bytes_ += data.size();
  return {};
}

Result<void> FilePut::end_file() {
  if (file_ && modified_) {
    store::AttributeChange change;
    change.mtime = modified_;
    PFS_TRY(store_.trees().set_attributes(file_, change));
  }
  file_ = nullptr;
  modified_.reset();
  return {};
}

Result<void> FilePut::finish(v1::PutFilesResponse& response) {
  if (!change_) return Error{Code::kInvalid, "put file: no message named the branch"};
  const auto ref = change_->ref().str();
  PFS_TRY_ASSIGN(const auto commit,
                 changes_.finish(*change_, files_ == 1
                                               ? fmt::format("put file {}:{}", ref, printable(first_.str()))
                                               : fmt::format("put file {} ({} files)", ref, files_)));
  response.set_commit(commit.hex());
  response.set_files(files_);
  response.set_bytes(bytes_);
  return {};
}

}  // namespace pfs::api
