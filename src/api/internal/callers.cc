#include "api/internal/callers.h"

#include <pwd.h>
#include <unistd.h>

#include <vector>

#include <fmt/format.h>
#include <grpc/grpc_security_constants.h>

namespace pfs::api {
namespace {

std::string subject_of(const grpc::ServerContext& context) {
  const auto subject =
      context.auth_context()->FindPropertyValues(GRPC_X509_SUBJECT_PROPERTY_NAME);
  if (!subject.empty() && !subject.front().empty())
    return {subject.front().data(), subject.front().size()};
  return "unknown at " + context.peer();
}

}  // namespace

std::string Caller::name() const {
  if (!subject.empty()) return subject;
  std::vector<char> buffer(16384);  // what getpwnam_r(3) suggests when sysconf has no answer
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return fmt::format("uid {}", uid);
}

void Callers::add(int fd, const Caller& caller) {
  Lock lock(mutex_);
  by_peer_[fmt::format("fd:{}", fd)] = caller;
}

Result<Caller> Callers::of(const grpc::ServerContext& context) const {
  const std::string peer = context.peer();
  // gRPC's own listeners have let it in: by its certificate, or whoever it is
  if (!peer.starts_with("fd:")) return Caller{geteuid(), getegid(), 0, subject_of(context)};
  Lock lock(mutex_);
  const auto found = by_peer_.find(peer);
  if (found == by_peer_.end())
    return Error{Code::kDenied, fmt::format("connection {}: its user is not known", peer)};
  return found->second;
}

}  // namespace pfs::api
