#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/sync.h"
#include "trigger/container_engine.h"
#include "trigger/runner.h"

namespace pfs::trigger {

class IdMap;
class LeftoverSweep;
class StartRecords;
struct ProcessResult;

/// Pods as containers of the podman or docker on this machine, by its command line. (It has no library, and its kube play
/// cannot do what later issues need.) CONTAINERS_CONF and the rest of our environment hold for it.
///
/// Thread-safe.
class PodmanRunner final : public Runner {
 public:
  struct Options {
    std::string worker_path;   ///< a static program that knows --version and --whoami
    std::string scratch_path;  ///< a directory of our own, for the probe and the records of starts
    ContainerEngine engine;
    bool is_root = is_root_user();  ///< else podman runs containers in a user namespace of the user's
  };
  static bool is_root_user();
  explicit PodmanRunner(Options options);
  ~PodmanRunner() override;

  Result<void> probe() override;
  std::string report() const override;
  Result<PodUser> user_of(const ImageRequest& request, const KeepGoing& keep_going) override;
  Result<PodUser> outside(const PodUser& user) override;
  Result<PodId> start(const PodRequest& request, const KeepGoing& keep_going) override;
  Result<PodStatus> status(const PodId& pod) override;
  Result<std::vector<std::string>> command_within(const PodId& pod, const std::vector<std::string>& environment,
                                                  const std::string& directory) override;
  Result<void> stop(const PodId& pod) override;
  Result<void> stop_all(const std::map<std::string, std::string>& labels) override;
  void remove_earlier() override;

 private:
  /// A way to call podman that works here.
  struct Setting {
    std::string description;
    std::vector<std::string> global;  ///< between `podman` and the verb
    std::vector<std::string> run;     ///< after `run`
  };
  std::vector<Setting> settings_to_try() const;
  /// Containers have a user namespace, the one that `podman unshare` enters.
  bool is_rootless() const { return !options_.is_root && options_.engine.kind() == ContainerEngine::Kind::kPodman; }
  /// `file`: below /proc/self.
  Result<IdMap> id_map(const Setting& setting, const char* file) const;

  Result<Setting> setting() PFS_EXCLUDES(mutex_);
  Result<void> try_setting(const Setting& setting);
  std::vector<std::string> command(const std::vector<std::string>& global,
                                   const std::vector<std::string>& rest) const;
  Result<std::string> image_user(const Setting& setting, const ImageRequest& request, const KeepGoing& keep_going) const;
  Result<void> pull(const Setting& setting, const ImageRequest& request, const KeepGoing& keep_going) const;
  Result<void> pull_as(const std::string& image, const Setting& setting, const ImageRequest& request, const KeepGoing& keep_going) const;
  Result<void> remove(const Setting& setting, const std::string& container) const;
  /// One of which podman may not know what there is: it was killed while it made it.
  Result<void> remove_half_made(const Setting& setting, const std::string& container) const;
  /// Of one that podman does not know to run, all that there is beside what podman's `rm` removes.
  Result<void> end_unknown(const Setting& setting, const std::string& container) const;
  /// Also those that no label tells, for podman does not know them yet, or not any more.
  Result<void> remove_of_start(const std::string& start);
  /// The names of containers, by words more for `ps --all`.
  Result<std::vector<std::string>> list(const Setting& setting, const std::vector<std::string>& words) const;
  /// Runs a container to its end, after which the engine removes it. `arguments`: what follows its name and label.
  Result<ProcessResult> run_once(const Setting& setting, const std::vector<std::string>& arguments, const KeepGoing& keep_going)
      PFS_EXCLUDES(mutex_);
  /// Before a container is asked for, by its name: from then on it may be there, whatever becomes of us.
  Result<void> expect(const std::string& container) PFS_EXCLUDES(mutex_);
  /// It is not there, and nobody makes it.
  void settle(const std::string& container) PFS_EXCLUDES(mutex_);

  const Options options_;
  const std::unique_ptr<const StartRecords> records_;
  mutable Mutex mutex_{LockRank::kLeaf};
  std::optional<Setting> works_ PFS_GUARDED_BY(mutex_);
  std::string report_ PFS_GUARDED_BY(mutex_) = "not tried yet";
  std::set<std::string> expected_ PFS_GUARDED_BY(mutex_);  ///< containers that may be there

  std::unique_ptr<LeftoverSweep> sweep_;  ///< last: its thread uses all of the above
};

}  // namespace pfs::trigger
