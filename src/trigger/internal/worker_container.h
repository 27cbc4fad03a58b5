#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "trigger/internal/spec.h"
#include "trigger/internal/worker_link.h"
#include "trigger/internal/worker_secrets.h"
#include "trigger/runner.h"
#include "trigger/views.h"

namespace pfs::trigger {

/// What all workers of a store have in common.
struct WorkerHouse {
  Runner* runner = nullptr;
  ViewHost* views = nullptr;
  std::string store_id;
  std::string worker_path;
  std::string links_path;  ///< a directory with one of its own for each container's socket
  const Secrets* secrets = nullptr;  ///< null: there are none
};

/// A pipeline's container, its view and the connection to the worker in it. Lives across datums and jobs; started when
/// it is first needed, and again when it was lost.
///
/// Used by one thread.
class WorkerContainer {
 public:
  /// Told of what a start that takes long is at; of nothing when it is over.
  using ShowPreparing = std::function<void(const std::string& what)>;

  explicit WorkerContainer(const WorkerHouse& house, ShowPreparing show_preparing = {})
      : house_(house), show_preparing_(std::move(show_preparing)) {}
  WorkerContainer(const WorkerContainer&) = delete;
  WorkerContainer& operator=(const WorkerContainer&) = delete;
  ~WorkerContainer() { stop(); }

  /// The container runs, with the image, user and environment of `spec`; one that runs with others, or with a secret that was
  /// made anew since, is replaced, and so is one that has died since it was used.
  /// Errors: kNotFound (the image, a secret), kInvalid (the user), kUnavailable (nothing is mounted; no container runtime), kCancelled.
  Result<void> ensure(const PipelineSpec& spec, const KeepGoing& keep_going);

  /// A worker is connected, as far as is known.
  bool runs() const { return link_.has_value(); }

  /// Why the last ensure() failed; empty when it did not.
  const std::string& trouble() const { return trouble_; }

  /// What /pfs shows from now on; nullptr: nothing.
  void show(store::TreePtr tree);

  /// As Runner::command_within(), in this one.
  Result<std::vector<std::string>> command_within(const std::vector<std::string>& environment,
                                                  const std::string& directory) const {
    if (!pod_) return Error{Code::kUnavailable, "there is no container"};
    return house_.runner->command_within(*pod_, environment, directory);
  }

  /// What was read and written below /pfs since the last show().
  View::Traffic traffic() const { return view_ ? view_->traffic() : lost_traffic_; }

  /// `NAME=value` of the pipeline's secrets, as they were when the container was made; for commands only.
  const std::vector<std::string>& secret_environment() const { return secret_environment_; }

  /// Runs a command in it. Errors: kUnavailable (the container is lost, says why; ensure() makes another), kCancelled.
  /// After an error begun() tells whether the command may have run.
  Result<worker::CommandEnd> run(const worker::CommandRequest& request,
                                 const std::function<void(std::string_view piece)>& on_output,
                                 const KeepGoing& keep_going);

  /// Whether the last run() has come as far as the command.
  bool begun() const { return begun_; }

  /// A command has run in it, and may have left it such that no other starts there.
  bool used() const { return used_; }

  void stop();

 private:
  Result<void> start(const PipelineSpec& spec, const KeepGoing& keep_going);
  Result<PodUser> user_of(const PipelineSpec& spec, const KeepGoing& keep_going) const;
  Result<std::unique_ptr<View>> view_for(const PodUser& user) const;
  std::string container_parts(const PipelineSpec& spec) const;
  Error why_lost(const Error& error) const;

  const WorkerHouse& house_;
  const ShowPreparing show_preparing_;
  std::string trouble_;
  std::string made_for_;  ///< the parts of the spec that the container was made with
  SecretVersions made_with_;
  std::unique_ptr<View> view_;
  View::Traffic lost_traffic_;  ///< of a view that went with its container
  std::string link_directory_;
  std::string secrets_directory_;
  std::vector<std::string> secret_environment_;
  std::optional<WorkerLink> link_;
  bool begun_ = false;
  bool used_ = false;
  std::optional<PodId> pod_;
};

}  // namespace pfs::trigger
