#include "api/internal/callers.h"

#include <pwd.h>

#include <vector>

#include <fmt/format.h>

namespace pfs::api {

std::string Caller::name() const {
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
  Lock lock(mutex_);
  const auto found = by_peer_.find(peer);
  if (found == by_peer_.end())
    return Error{Code::kDenied, fmt::format("connection {}: its user is not known", peer)};
  return found->second;
}

}  // namespace pfs::api
