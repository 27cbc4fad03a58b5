#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "trigger/runner.h"

namespace pfs::trigger {

/// How the command line of a container engine is spoken to. docker's is podman's, but for a few words.
///
/// Thread-safe: it is a value.
class ContainerEngine {
 public:
  enum class Kind { kPodman, kDocker };

  /// `podman`, `docker`, or the path of one of them (what it is says its name). Errors: kInvalid.
  static Result<ContainerEngine> parse(const std::string& text);

  Kind kind() const { return kind_; }
  const std::string& program() const { return program_; }
  /// `podman` or `docker`.
  std::string name() const;

  /// The words after the program and its global options.
  std::vector<std::string> pull(const std::string& image) const;
  std::vector<std::string> remove(const std::string& pod) const;
  /// What the verb that pulls is told to use the credentials in a file with. Source: containers-auth.json(5); docker takes
  /// a directory with a config.json, between itself and the verb.
  struct Credentials {
    std::vector<std::string> global;
    std::vector<std::string> verb;
  };
  Credentials credentials(const std::string& auth_file) const;
  /// `run` with what stands before a pod's own arguments.
  std::vector<std::string> run_detached() const;
  /// What follows for a pod: its name, labels, mounts, environment, image and command.
  /// Shape: the part of core/v1 PodSpec that this room writes; any other field is refused, not passed over.
  /// Errors: kUnsupported, kInvalid (name the field).
  Result<std::vector<std::string>> pod_arguments(const PodRequest& request) const;

 private:
  ContainerEngine(Kind kind, std::string program) : kind_(kind), program_(std::move(program)) {}

  Kind kind_;
  std::string program_;
};

}  // namespace pfs::trigger
