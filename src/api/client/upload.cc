#include <algorithm>

#include "api/client/files.h"
#include "api/client/internal/wire.h"
#include "api/wire/time.h"
#include "pfs/v1/file.grpc.pb.h"

namespace pfs::client {
namespace {

constexpr std::size_t kMessageBytes = 1 << 20;  // as much as the service takes in one
constexpr std::size_t kSmall = 1 << 16;

}  // namespace

struct Upload::Call {
  explicit Call(const Connection& to)
      : connection(to),
        stub(v1::FileService::NewStub(to.wire().channel)) {
    join_transaction(context, connection);
    writer = stub->PutFiles(&context, &response);
  }

  const Connection& connection;
  grpc::ClientContext context;
  v1::PutFilesResponse response;
  std::unique_ptr<v1::FileService::Stub> stub;
  std::unique_ptr<grpc::ClientWriter<v1::PutFilesRequest>> writer;
  v1::PutFilesRequest message;  // not sent yet: small files go in one message each
  bool ended = false;
};

Upload::Upload(const Connection& connection, const CommitRef& ref, const Options& options)
    : call_(std::make_unique<Call>(connection)) {
  auto* target = call_->message.mutable_target();
  target->set_repo(ref.repo.str());
  target->set_branch(ref.name());
  target->set_append(options.append);
  target->set_set_directories(options.set_directories);
}

Upload::~Upload() {
  if (call_->ended) return;
  call_->context.TryCancel();
  (void)call_->writer->Finish();  // what a cancelled call ends with says nothing
}

Result<void> Upload::start(const RepoPath& path, const Attributes& attributes) {
  if (call_->message.has_start() || !call_->message.data().empty()) PFS_TRY(flush());
  auto* start = call_->message.mutable_start();
  start->set_path(path.str());
  start->set_mode(attributes.mode);
  if (attributes.modified) api::set_time(start->mutable_modified(), *attributes.modified);
  return {};
}

Result<void> Upload::begin_file(const RepoPath& path, const Attributes& attributes) {
  PFS_TRY(start(path, attributes));
  call_->message.mutable_start()->set_kind(v1::FILE_KIND_FILE);
  return {};
}

Result<void> Upload::directory(const RepoPath& path, const Attributes& attributes) {
  PFS_TRY(start(path, attributes));
  call_->message.mutable_start()->set_kind(v1::FILE_KIND_DIRECTORY);
  return {};
}

Result<void> Upload::symlink(const RepoPath& path, const std::string& target,
                             std::optional<Timestamp> modified) {
  constexpr std::uint32_t kMode = 0777;  // as every symlink has on Linux
  PFS_TRY(start(path, {kMode, modified}));
  call_->message.mutable_start()->set_kind(v1::FILE_KIND_SYMLINK);
  call_->message.mutable_start()->set_link_target(target);
  return {};
}

Result<void> Upload::keep(const RepoPath& path, const Attributes& attributes) {
  PFS_TRY(start(path, attributes));
  call_->message.mutable_start()->set_keep(true);
  return {};
}

Result<void> Upload::remove(const RepoPath& path) {
  if (!call_->message.remove().empty() || call_->message.has_start() ||
      !call_->message.data().empty())
    PFS_TRY(flush());
  call_->message.set_remove(path.str());
  return {};
}

Result<void> Upload::data(std::string_view bytes) {
  while (!bytes.empty()) {
    auto& waiting = *call_->message.mutable_data();
    const auto taken = std::min(bytes.size(), kMessageBytes - waiting.size());
    waiting.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (waiting.size() == kMessageBytes) PFS_TRY(flush());
  }
  return {};
}

Result<Upload::Outcome> Upload::finish() {
  call_->message.set_complete(true);
  PFS_TRY(flush());
  call_->writer->WritesDone();
  call_->ended = true;
  PFS_TRY(outcome_of(call_->writer->Finish(), call_->context, call_->connection));
  return Outcome{call_->response.commit(), call_->response.files(), call_->response.bytes()};
}

Result<void> Upload::flush() {
  // small messages may wait for one another, so that many small files go in one write to the socket
  grpc::WriteOptions options;
  const bool last = call_->message.complete();
  if (!last && call_->message.data().size() < kSmall) options.set_buffer_hint();
  const bool sent = call_->writer->Write(call_->message, options);
  call_->message.clear_target();
  call_->message.clear_start();
  call_->message.clear_remove();
  call_->message.clear_data();  // keeps its buffer
  if (sent) return {};
  // the service has answered already: with an error, since it has not seen the end
  call_->ended = true;
  PFS_TRY(outcome_of(call_->writer->Finish(), call_->context, call_->connection));
  return Error{Code::kInternal, "put file: the daemon answered before the end"};
}

}  // namespace pfs::client
