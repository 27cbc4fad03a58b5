#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace pfs::trigger {

/// Asked now and then by calls that take long; false ends them with kCancelled.
using KeepGoing = std::function<bool()>;

/// What a pod reaches beside its own loopback interface.
enum class PodNetwork {
  kNone,
  kDefault,  ///< what the engine, or the cluster, gives a pod of which nothing is said
  kHost,     ///< the machine's own, its loopback interface included
};

/// What to start, in Kubernetes' own words, so that every runner starts the same.
struct PodRequest {
  std::string name;                           ///< lower-case letters, digits and '-'; unique while it is there
  std::map<std::string, std::string> labels;  ///< by which it is found again after a crash
  std::map<std::string, std::string> annotations;  ///< what people want said about it
  std::string spec_json;                      ///< a PodSpec (core/v1) with one container
  PodNetwork network = PodNetwork::kNone;     ///< here, as a PodSpec has no word for none
};

/// How a runner names what it started.
struct PodId {
  std::string value;
};

struct PodStatus {
  bool running = false;
  std::optional<int> exit_code;  ///< when it has ended and the runner knows
  std::string reason;            ///< why it does not run; one line
};

/// Where a pod's root comes from.
struct ImageRequest {
  std::string image;
  std::string user;                     ///< a name or number; empty: the image's own
  std::vector<std::string> auth_files;  ///< credentials for its registry, in the form of containers-auth.json(5)
  std::function<void()> on_pull = {};   ///< called before it is fetched from a registry, which may take long
};

/// The user and group that a container's first process has.
struct PodUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// Starts, watches and stops pods: podman on one machine, Kubernetes beyond it.
///
/// Thread-safe; implementations hold no lock while they wait for a process or a network. Contract:
/// tests/contract/runner_test.cc.
class Runner {
 public:
  virtual ~Runner() = default;

  /// Finds out whether pods can be started at all; remembers a yes.
  /// Errors: kUnavailable (says what was tried and what to do).
  virtual Result<void> probe() = 0;
  /// What probe() found, in one line.
  virtual std::string report() const = 0;

  /// Whom `user` is in an image, which is fetched if need be.
  /// Errors: kNotFound (no such image, and it cannot be fetched), kInvalid (no such user in it), kUnavailable, kCancelled.
  virtual Result<PodUser> user_of(const ImageRequest& request, const KeepGoing& keep_going) = 0;

  /// Whom a pod's user is outside of the pod: with these ids its processes come to the mount. The same as within, where pods
  /// have no ids of their own.
  /// Errors: kUnavailable (a pod has no such user here, says what to do).
  virtual Result<PodUser> outside(const PodUser& user) { return user; }

  /// Returns once the pod runs. Errors: kUnsupported (a field of the spec, by name), kInvalid (a value in it),
  /// kUnavailable (the runner's reason), kCancelled.
  virtual Result<PodId> start(const PodRequest& request, const KeepGoing& keep_going) = 0;
  /// A pod that is gone is one that does not run.
  virtual Result<PodStatus> status(const PodId& pod) = 0;
  /// What a person runs on this machine, as our user, with a command behind it, to run that command in a pod, at a terminal.
  /// `directory`: in which it begins; empty: the image's. Errors: kUnavailable.
  virtual Result<std::vector<std::string>> command_within(const PodId& pod, const std::vector<std::string>& environment,
                                                          const std::string& directory) = 0;
  /// Ends it and removes it, whatever it does; nothing of it runs when this returns. One that is gone is no error.
  virtual Result<void> stop(const PodId& pod) = 0;
  /// Stops every pod that has these labels.
  virtual Result<void> stop_all(const std::map<std::string, std::string>& labels) = 0;
  /// Begins to remove what runners of earlier starts of pfsd have left, also what only comes to be while that goes on. Called
  /// once; returns at once. Nothing to do where pods end with who started them.
  virtual void remove_earlier() {}
};

}  // namespace pfs::trigger
