#include "trigger/internal/worker_container.h"

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"
#include "base/ids.h"
#include "trigger/internal/worker_pod.h"

namespace pfs::trigger {

namespace {

constexpr std::chrono::seconds kConnectTimeout{60};

void remove_tree(std::string& path) {
  if (path.empty()) return;
  boost::system::error_code ignored;  // start() of the next pfsd removes what is left
  boost::filesystem::remove_all(path, ignored);
  path.clear();
}

}  // namespace

/// What a container is made with: when any of it changes, another is needed. The rest goes with each command.
std::string WorkerContainer::container_parts(const PipelineSpec& spec) const {
  Encoder out;
  const PodRequest pod = worker_pod(spec, {}, {});
  // each version has containers of its own: its image may be another by now, under the same name
  out.varint(spec.version).bytes(pod.spec_json).bytes(spec.transform.user);
  for (const auto* texts : {&pod.labels, &pod.annotations}) {
    out.varint(texts->size());
    for (const auto& [name, value] : *texts) out.bytes(name).bytes(value);
  }
  for (const SecretUse& use : spec.transform.secrets) {
    out.bytes(use.name).bytes(use.mount_path).bytes(use.env_var).bytes(use.key);
  }
  return std::move(out).str();
}

Result<void> WorkerContainer::ensure(const PipelineSpec& spec, const KeepGoing& keep_going) {
  std::string parts = container_parts(spec);
  SecretVersions versions = versions_of(house_.secrets, spec.transform.secrets);
  if (link_ && link_->connected() && made_for_ == parts && still_good(made_with_, versions)) {
    trouble_.clear();
    return {};
  }
  stop();
  auto started = start(spec, keep_going);
  if (started) {
    made_for_ = std::move(parts);
    made_with_ = std::move(versions);
  }
  trouble_ = started ? "" : started.error().message;
  if (!started) stop();
  return started;
}

Result<void> WorkerContainer::start(const PipelineSpec& spec, const KeepGoing& keep_going) {
  PFS_TRY_ASSIGN(const PodUser user, user_of(spec, keep_going));
  PFS_TRY_ASSIGN(view_, view_for(user));

  const std::string suffix = new_commit_id().hex().substr(0, 12);
  secrets_directory_ = house_.links_path + "/" + suffix + ".secrets";
  PFS_TRY_ASSIGN(WorkerSecrets secrets, place_secrets(house_.secrets, spec.transform.secrets, secrets_directory_));
  secret_environment_ = std::move(secrets.environment);
  link_directory_ = house_.links_path + "/" + suffix;
  boost::system::error_code error;
  boost::filesystem::create_directories(link_directory_, error);
  if (error) return error_from_errno(error.value(), "make " + link_directory_);
  // searched by the container's user, whoever that is; its parent keeps others of this machine out
  boost::filesystem::permissions(link_directory_, boost::filesystem::perms(0755), error);
  PFS_TRY_ASSIGN(WorkerLink link, WorkerLink::listen(link_directory_));

  const WorkerPlace place{house_.store_id, house_.worker_path, view_->path(), link_directory_, suffix,
                          std::move(secrets.mounts)};
  PFS_TRY_ASSIGN(pod_, house_.runner->start(worker_pod(spec, user, place), keep_going));
  if (auto connected = link.accept(kConnectTimeout, keep_going); !connected) return why_lost(connected.error());
  link_ = std::move(link);
  return {};
}

/// The image is pulled where it is missing, with credentials that are on the disk only meanwhile.
Result<PodUser> WorkerContainer::user_of(const PipelineSpec& spec, const KeepGoing& keep_going) const {
  std::string directory = house_.links_path + "/" + new_commit_id().hex().substr(0, 12) + ".pull";
  auto credentials = place_pull_credentials(house_.secrets, spec.transform.image_pull_secrets, directory);
  if (!credentials) {
    remove_tree(directory);
    return std::move(credentials).error();
  }
  const auto on_pull = [&] {
    if (show_preparing_) show_preparing_(fmt::format("image {}: is being pulled", spec.transform.image));
  };
  auto user = house_.runner->user_of({spec.transform.image, spec.transform.user, credentials->files, on_pull}, keep_going);
  if (show_preparing_) show_preparing_({});
  remove_tree(directory);
  if (user || credentials->trouble.empty()) return user;
  return Error{user.error().code, user.error().message + "; image_pull_secrets: " + credentials->trouble};
}

Result<std::unique_ptr<View>> WorkerContainer::view_for(const PodUser& user) const {
  PFS_TRY_ASSIGN(const PodUser owner, house_.runner->outside(user));
  auto view = house_.views->add_view(owner.uid, owner.gid);
  if (view) return view;
  return Error{view.error().code, fmt::format("user {}:{} of the container: {}", user.uid, user.gid, view.error().message)};
}

void WorkerContainer::show(store::TreePtr tree) {
  lost_traffic_ = {};
  if (view_) view_->show(std::move(tree));
}

Result<worker::CommandEnd> WorkerContainer::run(const worker::CommandRequest& request,
                                                const std::function<void(std::string_view piece)>& on_output,
                                                const KeepGoing& keep_going) {
  begun_ = false;
  if (!link_) return Error{Code::kUnavailable, "there is no container"};
  auto end = link_->run(request, on_output, keep_going);
  begun_ = link_->begun();
  if (end) {
    used_ = used_ || end->how != worker::End::kNotStarted;
    return end;
  }
  Error error = std::move(end).error();
  // after any error the two sides do not agree on what runs: begin again with another container
  if (error.code == Code::kUnavailable) error = why_lost(error);
  const View::Traffic traffic = this->traffic();
  if (error.code != Code::kTooLarge) stop();
  lost_traffic_ = traffic;
  return error;
}

Error WorkerContainer::why_lost(const Error& error) const {
  if (error.code != Code::kUnavailable || !pod_) return error;
  const auto status = house_.runner->status(*pod_);
  if (!status || status->running) return error;
  return Error{Code::kUnavailable, fmt::format("{}: {}", error.message, status->reason)};
}

void WorkerContainer::stop() {
  link_.reset();  // the worker ends by itself when it sees this
  used_ = false;
  if (pod_) {
    if (auto stopped = house_.runner->stop(*pod_); !stopped) {
      spdlog::error("{}; the next start of pfsd tries again", stopped.error().message);
      link_directory_.clear();  // stays on the disk: by it the next start knows that there may be containers
    }
    pod_.reset();
  }
  view_.reset();  // after the container, which has it mounted
  remove_tree(link_directory_);
  remove_tree(secrets_directory_);
  secret_environment_.clear();
}

}  // namespace pfs::trigger
