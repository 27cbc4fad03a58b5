#include "trigger/container_engine.h"

#include <fmt/format.h>

#include "base/names.h"
#include "trigger/internal/podman_arguments.h"

namespace pfs::trigger {

Result<ContainerEngine> ContainerEngine::parse(const std::string& text) {
  const auto slash = text.rfind('/');
  const std::string name = slash == std::string::npos ? text : text.substr(slash + 1);
  if (slash == std::string::npos || text.front() == '/') {
    if (name.starts_with("podman")) return ContainerEngine(Kind::kPodman, text);
    if (name.starts_with("docker")) return ContainerEngine(Kind::kDocker, text);
  }
  return Error{Code::kInvalid, fmt::format("container engine '{}': expected podman, docker, or the absolute path of one "
                                           "of them", printable(text))};
}

std::string ContainerEngine::name() const { return kind_ == Kind::kPodman ? "podman" : "docker"; }

std::vector<std::string> ContainerEngine::pull(const std::string& image) const {
  return {"pull", "--quiet", "--", image};
}

std::vector<std::string> ContainerEngine::remove(const std::string& pod) const {
  // docker kills without a delay and says that one that is gone is gone
  // with the volumes that an image asks for, which nobody could name
  if (kind_ == Kind::kDocker) return {"rm", "--force", "--volumes", "--", pod};
  return {"rm", "--force", "--volumes", "--ignore", "--time", "0", "--", pod};
}

ContainerEngine::Credentials ContainerEngine::credentials(const std::string& auth_file) const {
  if (kind_ == Kind::kDocker) return {{"--config", auth_file + ".d"}, {}};
  return {{}, {"--authfile", auth_file}};
}

std::vector<std::string> ContainerEngine::run_detached() const {
  return {"run", "--detach", "--log-driver", "none"};
}

Result<std::vector<std::string>> ContainerEngine::pod_arguments(const PodRequest& request) const {
  return podman_run_arguments(request, kind_);
}

}  // namespace pfs::trigger
