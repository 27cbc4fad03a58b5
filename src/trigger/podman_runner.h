#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sync.h"
#include "trigger/container_engine.h"
#include "trigger/runner.h"

namespace pfs::trigger {

/// Pods as containers of the podman or docker on this machine, by its command line. (It has no library, and its kube play
/// cannot do what later issues need.) CONTAINERS_CONF and the rest of our environment hold for it.
///
/// Thread-safe.
class PodmanRunner final : public Runner {
 public:
  struct Options {
    std::string worker_path;   ///< a static program that knows --version and --whoami
    std::string scratch_path;  ///< a directory of our own, for the probe
    ContainerEngine engine;
  };
  explicit PodmanRunner(Options options) : options_(std::move(options)) {}

  Result<void> probe() override;
  std::string report() const override;
  Result<PodUser> user_of(const ImageRequest& request, const KeepGoing& keep_going) override;
  Result<PodId> start(const PodRequest& request, const KeepGoing& keep_going) override;
  Result<PodStatus> status(const PodId& pod) override;
  Result<std::vector<std::string>> command_within(const PodId& pod,
                                                  const std::vector<std::string>& environment) override;
  Result<void> stop(const PodId& pod) override;
  Result<void> stop_all(const std::map<std::string, std::string>& labels) override;

 private:
  /// A way to call podman that works here.
  struct Setting {
    std::string description;
    std::vector<std::string> global;  ///< between `podman` and the verb
    std::vector<std::string> run;     ///< after `run`
  };
  std::vector<Setting> settings_to_try() const;

  Result<Setting> setting() PFS_EXCLUDES(mutex_);
  Result<void> try_setting(const Setting& setting) const;
  std::vector<std::string> command(const std::vector<std::string>& global,
                                   const std::vector<std::string>& rest) const;
  Result<std::string> image_user(const Setting& setting, const ImageRequest& request, const KeepGoing& keep_going) const;
  Result<void> pull(const Setting& setting, const ImageRequest& request, const KeepGoing& keep_going) const;

  const Options options_;
  mutable Mutex mutex_{LockRank::kLeaf};
  std::optional<Setting> works_ PFS_GUARDED_BY(mutex_);
  std::string report_ PFS_GUARDED_BY(mutex_) = "not tried yet";
};

}  // namespace pfs::trigger
