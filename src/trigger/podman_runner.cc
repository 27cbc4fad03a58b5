#include "trigger/podman_runner.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <sstream>
#include <string_view>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/file.h"
#include "base/ids.h"
#include "base/names.h"
#include "trigger/internal/id_map.h"
#include "trigger/internal/leftover_sweep.h"
#include "trigger/internal/process.h"
#include "trigger/internal/start_records.h"
#include "trigger/internal/stray_containers.h"

namespace pfs::trigger {

namespace {

constexpr std::chrono::minutes kPullTimeout{30};
constexpr const char* kWorkerInContainer = "/.pfs-worker/worker";
constexpr int kRemoveTries = 3;
// podman that is killed while it starts a container leaves it half-made.
constexpr std::chrono::seconds kStartGrace{20};

/// How many processes this kernel can have at all; podman lowers its own limit to it before it starts a container.
rlim_t most_processes() {
  const auto text = read_file("/proc/sys/kernel/pid_max");
  const rlim_t most = text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
  return most > 0 ? most : 32'768;
}

/// podman gives containers limits of its own choice, which it may not raise above its own hard ones without
/// CAP_SYS_RESOURCE; these are what the kernel allows us anyway.
std::vector<std::string> allowed_limits() {
  struct Limit {
    const char* name;
    decltype(RLIMIT_NOFILE) resource;
    rlim_t most;
  };
  std::vector<std::string> arguments;
  for (const Limit& limit :
       {Limit{"nofile", RLIMIT_NOFILE, 1'048'576}, Limit{"nproc", RLIMIT_NPROC, most_processes()}}) {
    rlimit now{};
    if (::getrlimit(limit.resource, &now) != 0) continue;
    const rlim_t value = std::min(now.rlim_max, limit.most);
    arguments.push_back("--ulimit");
    arguments.push_back(fmt::format("{}={}:{}", limit.name, value, value));
  }
  return arguments;
}

void append(std::vector<std::string>& to, const std::vector<std::string>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

std::string worker_mount(const std::string& worker_path) {
  return fmt::format("type=bind,src={},dst={},ro", worker_path, kWorkerInContainer);
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::optional<std::uint32_t> number_in(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Whom a user names when no image needs to be asked: nobody (root), or numbers with a group.
std::optional<PodUser> user_without_image(std::string_view user) {
  if (user.empty() || user == "root" || user == "0") return PodUser{};
  const auto colon = user.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto uid = number_in(user.substr(0, colon));
  const auto gid = number_in(user.substr(colon + 1));
  if (!uid || !gid) return std::nullopt;
  return PodUser{*uid, *gid};
}

/// Of a name without a registry, where registries.conf has none to look in.
constexpr std::string_view kNowhereToLook = "did not resolve to an alias and no unqualified-search registries";

bool says_any(const ProcessResult& ended, std::initializer_list<std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](std::string_view phrase) { return ended.errors.find(phrase) != std::string::npos; });
}

// An engine that was killed, or has a trouble of its own, says nothing about an image: only its own words do.

bool says_no_image(const ProcessResult& ended) { return says_any(ended, {"image not known", "no such image", "No such image"}); }

bool says_no_reference(const ProcessResult& ended) { return says_any(ended, {"invalid reference format", "must be lowercase"}); }

bool says_no_user(const ProcessResult& ended) {
  return says_any(ended, {"unable to find user", "unable to find group", "no matching entries", "invalid user", "uids and gids must be"});
}

/// The user namespace of a rootless podman is as large as these files say.
Error beyond_range(const std::string& user) {
  return Error{Code::kUnavailable,
               fmt::format("{}: /etc/subuid and /etc/subgid do not give user {} so many ids; have root say `usermod --add-subuids "
                           "FIRST-LAST --add-subgids FIRST-LAST NAME`, then `podman system migrate`, which ends this user's containers",
                           user, ::geteuid())};
}

/// A rootless podman keeps a mount namespace, from before our mount perhaps: what is mounted later it sees where `/` is shared,
/// as systemd makes it.
std::string advice_on(const ProcessResult& ended) {
  if (!says_any(ended, {"statfs "}) || !says_any(ended, {"no such file or directory", "transport endpoint is not connected"})) return {};
  return "; podman of this user does not see what has been mounted since it began: have root say `mount --make-rshared /`, then "
         "`podman system migrate`, which ends this user's containers";
}

/// Whether a registry may answer otherwise when it is asked again.
bool may_pass(const ProcessResult& pulled, const std::string& image) {
  if (pulled.exit_code > 128) return true;                // killed
  if (image.starts_with("localhost/")) return false;      // built here, or nowhere
  return says_any(pulled, {"connection refused", "connection reset", "timeout", "deadline exceeded", "no such host", "server misbehaving",
                           "network is unreachable", "no route to host", "unexpected EOF", "toomanyrequests", "status 5", "status code 5",
                           "no space left", "database is locked"});
}

}  // namespace

bool PodmanRunner::is_root_user() { return ::geteuid() == 0; }

PodmanRunner::PodmanRunner(Options options)
    : options_(std::move(options)), records_(std::make_unique<StartRecords>(options_.scratch_path + "/starts")) {}

PodmanRunner::~PodmanRunner() {
  sweep_.reset();
  bool none_left = false;
  {
    Lock lock(mutex_);
    none_left = expected_.empty();
  }
  if (none_left) records_->remove(records_->own());
}

std::vector<std::string> PodmanRunner::command(const std::vector<std::string>& global,
                                               const std::vector<std::string>& rest) const {
  std::vector<std::string> all{options_.engine.program()};
  append(all, global);
  append(all, rest);
  return all;
}

std::vector<PodmanRunner::Setting> PodmanRunner::settings_to_try() const {
  std::vector<Setting> settings;
  if (options_.engine.kind() == ContainerEngine::Kind::kDocker) return {{"as configured", {}, {}}};
  const std::vector<std::string> limits = allowed_limits();
  // whatever containers.conf says: outside() knows of no other, and with many of them a container's root is not us
  std::vector<std::string> mapping;
  if (is_rootless()) mapping = {"--userns", "host"};
  std::vector<std::string> limited = mapping;
  append(limited, limits);
  const auto add = [&](const std::string& description, const std::vector<std::string>& global) {
    settings.push_back({description, global, mapping});
    settings.push_back({description + ", with our own limits", global, limited});
  };
  add("as configured", {});
  for (const char* runtime : {"runc", "crun"}) {
    add(fmt::format("runtime {}, cgroupfs", runtime), {"--runtime", runtime, "--cgroup-manager", "cgroupfs"});
  }
  return settings;
}

Result<void> PodmanRunner::expect(const std::string& container) {
  PFS_TRY(records_->put_own());
  Lock lock(mutex_);
  expected_.insert(container);
  return {};
}

void PodmanRunner::settle(const std::string& container) {
  Lock lock(mutex_);
  expected_.erase(container);
}

Result<ProcessResult> PodmanRunner::run_once(const Setting& setting, const std::vector<std::string>& arguments,
                                             const KeepGoing& keep_going) {
  const std::string container =
      "pfs-probe-" + new_commit_id().hex().substr(0, 12) + StartRecords::suffix_of(records_->own());
  std::vector<std::string> run{"run", "--rm", "--name", container, "--network", "none"};
  append(run, records_->own_label());
  append(run, setting.run);
  append(run, arguments);
  PFS_TRY(expect(container));
  auto ended = run_process(command(setting.global, run), {.keep_going = keep_going, .grace = kStartGrace});
  const bool killed = ended ? ended->exit_code > 128 : ended.error().code != Code::kNotFound;
  if (killed) {  // who does not remove it
    const auto removed = remove_half_made(setting, container);
    if (!removed) spdlog::error("{}; the next start of pfsd tries again", removed.error().message);
    if (!removed || !ended) return ended;  // docker's daemon may make it yet, when we had to kill its client
  }
  settle(container);
  return ended;
}

Result<void> PodmanRunner::try_setting(const Setting& setting) {
  if (options_.engine.kind() == ContainerEngine::Kind::kDocker) {
    // it knows no container without an image: all that can be asked is whether its daemon answers
    PFS_TRY_ASSIGN(const ProcessResult told, run_process(command({}, {"version", "--format", "{{.Server.Version}}"})));
    if (told.succeeded()) return {};
    return Error{Code::kUnavailable, told.last_error_line()};
  }
  // a container without an image: an empty directory, with the worker mounted into it
  const std::string root = options_.scratch_path + "/probe";
  if (::mkdir(root.c_str(), 0700) != 0 && errno != EEXIST) return error_from_errno(errno, "make " + root);
  PFS_TRY_ASSIGN(const ProcessResult result,
                 run_once(setting, {"--log-driver", "none", "--mount", worker_mount(options_.worker_path), "--rootfs", root,
                                    kWorkerInContainer, "--version"}, {}));
  if (result.succeeded()) return {};
  return Error{Code::kUnavailable, result.last_error_line()};
}

Result<PodmanRunner::Setting> PodmanRunner::setting() {
  {
    Lock lock(mutex_);
    if (works_) return *works_;
  }
  // Two threads may both try; they find the same.
  std::optional<Error> first;
  for (const Setting& candidate : settings_to_try()) {
    auto tried = try_setting(candidate);
    if (tried) {
      Lock lock(mutex_);
      works_ = candidate;
      report_ = fmt::format("{} works ({})", options_.engine.program(), candidate.description);
      return candidate;
    }
    spdlog::debug("{}, {}: {}", options_.engine.program(), candidate.description, tried.error().message);
    if (!first) first = std::move(tried).error();
    if (first->code == Code::kNotFound) break;  // no podman at all
  }
  const std::string message =
      first->code == Code::kNotFound
          ? fmt::format("{0} is not installed (not in pfsd's PATH), and pipelines need it: apt-get install {1}",
                        options_.engine.program(),
                        options_.engine.kind() == ContainerEngine::Kind::kDocker ? "docker.io"
                        : is_rootless() ? "podman runc uidmap slirp4netns" : "podman runc")
          : fmt::format("{0} cannot start a container: {1}; {2}", options_.engine.program(), first->message,
                        is_rootless() ? "as pfsd's user, `pfs doctor` says what this machine lacks"
                                      : fmt::format("try `{} run` by hand", options_.engine.program()));
  Lock lock(mutex_);
  report_ = message;
  return Error{Code::kUnavailable, message};
}

Result<void> PodmanRunner::probe() {
  PFS_TRY(setting());
  return {};
}

std::string PodmanRunner::report() const {
  Lock lock(mutex_);
  return report_;
}

// Docker takes a name without a registry for one of its own; podman as Debian sets it up knows nowhere to look.
Result<void> PodmanRunner::pull(const Setting& setting, const ImageRequest& request,
                                const KeepGoing& keep_going) const {
  spdlog::info("image {}: is being pulled", request.image);
  if (request.on_pull) request.on_pull();
  auto pulled = pull_as(request.image, setting, request, keep_going);
  if (pulled || pulled.error().message.find(kNowhereToLook) == std::string::npos) return pulled;
  const bool is_official = request.image.find('/') == std::string::npos;
  const std::string name = (is_official ? "docker.io/library/" : "docker.io/") + request.image;
  pulled = pull_as(name, setting, request, keep_going);
  if (pulled || pulled.error().code == Code::kCancelled) return pulled;
  // also where nobody answers there: a name without a registry is most often one of this machine's, mistyped
  return Error{Code::kNotFound, fmt::format("image {}: not on this machine, and cannot be pulled: {}; build it or check its name",
                                            request.image, pulled.error().message)};
}

Result<void> PodmanRunner::pull_as(const std::string& image, const Setting& setting, const ImageRequest& request,
                                   const KeepGoing& keep_going) const {
  std::vector<ContainerEngine::Credentials> credentials;
  for (const std::string& file : request.auth_files) credentials.push_back(options_.engine.credentials(file));
  credentials.emplace_back();  // and with those that the machine has
  std::string why;
  bool passes = false;
  for (const auto& [global, verb] : credentials) {
    std::vector<std::string> all_global = setting.global;
    append(all_global, global);
    std::vector<std::string> pull = options_.engine.pull(image);
    pull.insert(pull.begin() + 1, verb.begin(), verb.end());
    PFS_TRY_ASSIGN(const ProcessResult pulled,
                   run_process(command(all_global, pull), {.timeout = kPullTimeout, .keep_going = keep_going}));
    if (pulled.succeeded()) return {};
    if (why.empty()) why = pulled.last_error_line();
    passes = passes || may_pass(pulled, image);
  }
  if (passes) return Error{Code::kUnavailable, fmt::format("image {}: cannot be pulled now: {}", image, why)};
  return Error{Code::kNotFound, fmt::format("image {}: not on this machine, and cannot be pulled: {}; build it or check "
                                            "its name", image, why)};
}

Result<std::string> PodmanRunner::image_user(const Setting& setting, const ImageRequest& request,
                                             const KeepGoing& keep_going) const {
  const auto inspect =
      command(setting.global, {"image", "inspect", "--format", "{{.Config.User}}", "--", request.image});
  PFS_TRY_ASSIGN(ProcessResult found, run_process(inspect, {.keep_going = keep_going}));
  if (found.succeeded()) return trimmed(found.output);
  if (says_no_reference(found)) {
    return Error{Code::kNotFound, fmt::format("image {}: is no name of an image: {}; correct transform.image", printable(request.image),
                                              found.last_error_line())};
  }
  if (!says_no_image(found)) return Error{Code::kUnavailable, fmt::format("image {}: {}", request.image, found.last_error_line())};
  PFS_TRY(pull(setting, request, keep_going));
  PFS_TRY_ASSIGN(found, run_process(inspect, {.keep_going = keep_going}));
  if (found.succeeded()) return trimmed(found.output);
  return Error{Code::kUnavailable, fmt::format("image {}: {}", request.image, found.last_error_line())};
}

Result<PodUser> PodmanRunner::user_of(const ImageRequest& request, const KeepGoing& keep_going) {
  PFS_TRY_ASSIGN(const Setting how, setting());
  PFS_TRY_ASSIGN(std::string name, image_user(how, request, keep_going));
  if (!request.user.empty()) name = request.user;
  const std::string& image = request.image;
  if (const auto known = user_without_image(name)) return *known;
  // a name, or a number whose group is in the image's passwd: let podman look
  PFS_TRY_ASSIGN(const ProcessResult told,
                 run_once(how, {"--mount", worker_mount(options_.worker_path), "--user", name, "--entrypoint",
                                kWorkerInContainer, image, "--whoami"}, keep_going));
  if (is_rootless() && says_any(told, {"unable to setup user"})) {
    return beyond_range(fmt::format("image {}: user '{}'", image, printable(name)));
  }
  PodUser found;
  if (!told.succeeded() || std::sscanf(told.output.c_str(), "%u %u", &found.uid, &found.gid) != 2) {
    return Error{says_no_user(told) ? Code::kInvalid : Code::kUnavailable,
                 fmt::format("image {}: user '{}': {}", image, name, told.last_error_line())};
  }
  return found;
}

Result<IdMap> PodmanRunner::id_map(const Setting& setting, const char* file) const {
  PFS_TRY_ASSIGN(const ProcessResult told,
                 run_process(command(setting.global, {"unshare", "cat", fmt::format("/proc/self/{}", file)})));
  if (!told.succeeded()) return Error{Code::kUnavailable, fmt::format("podman unshare: {}", told.last_error_line())};
  if (auto map = IdMap::parse(told.output)) return *std::move(map);
  return Error{Code::kUnavailable, fmt::format("podman unshare: {}: '{}' is none", file, printable(told.output))};
}

Result<PodUser> PodmanRunner::outside(const PodUser& user) {
  if (!is_rootless()) return user;
  if (user.uid == 0 && user.gid == 0) return PodUser{::geteuid(), ::getegid()};
  PFS_TRY_ASSIGN(const Setting how, setting());
  // asked each time: it changes with /etc/subuid, when nothing of this user's podman runs
  PFS_TRY_ASSIGN(const IdMap users, id_map(how, "uid_map"));
  PFS_TRY_ASSIGN(const IdMap groups, id_map(how, "gid_map"));
  const auto uid = users.outside(user.uid);
  const auto gid = groups.outside(user.gid);
  if (uid && gid) return PodUser{*uid, *gid};
  return beyond_range(fmt::format("user {}:{} of the container", user.uid, user.gid));
}

Result<PodId> PodmanRunner::start(const PodRequest& request, const KeepGoing& keep_going) {
  PodRequest ours = request;
  ours.name += StartRecords::suffix_of(records_->own());
  ours.labels[kStartLabel] = records_->own();
  PFS_TRY_ASSIGN(const std::vector<std::string> pod, options_.engine.pod_arguments(ours));
  PFS_TRY_ASSIGN(const Setting how, setting());
  std::vector<std::string> run = options_.engine.run_detached();
  append(run, how.run);
  append(run, pod);
  PFS_TRY(expect(ours.name));
  auto started = run_process(command(how.global, run), {.timeout = kPullTimeout, .keep_going = keep_going, .grace = kStartGrace});
  if (started && started->succeeded()) return PodId{ours.name};
  const auto removed = remove_half_made(how, ours.name);  // podman may have made it before it failed
  if (!removed) spdlog::error("{}; the next start of pfsd tries again", removed.error().message);
  if (!started) return std::move(started).error();  // it was killed: docker's daemon may make it yet, and it stays expected
  if (removed) settle(ours.name);
  return Error{Code::kUnavailable,
               fmt::format("container {}: {}{}", ours.name, started->last_error_line(), is_rootless() ? advice_on(*started) : "")};
}

Result<PodStatus> PodmanRunner::status(const PodId& pod) {
  PFS_TRY_ASSIGN(const Setting how, setting());
  PFS_TRY_ASSIGN(const ProcessResult told,
                 run_process(command(how.global, {"container", "inspect", "--format",
                                                  "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}", "--",
                                                  pod.value})));
  PodStatus status;
  if (!told.succeeded()) {
    status.reason = "the container is gone";
    return status;
  }
  char state[32] = "";
  char killed[8] = "";
  int exit_code = 0;
  if (std::sscanf(told.output.c_str(), "%31s %d %7s", state, &exit_code, killed) != 3) {
    return Error{Code::kUnavailable, fmt::format("container {}: podman says '{}'", pod.value, trimmed(told.output))};
  }
  status.running = std::string_view(state) == "running";
  if (status.running) return status;
  status.exit_code = exit_code;
  status.reason = std::string_view(killed) == "true" ? "the container was out of memory"
                                                     : fmt::format("the container {} with status {}", state, exit_code);
  return status;
}

Result<std::vector<std::string>> PodmanRunner::command_within(const PodId& pod,
                                                              const std::vector<std::string>& environment,
                                                              const std::string& directory) {
  PFS_TRY_ASSIGN(const Setting how, setting());
  std::vector<std::string> words{"exec", "--interactive", "--tty"};
  for (const std::string& variable : environment) append(words, {"--env", variable});
  if (!directory.empty()) append(words, {"--workdir", directory});
  words.push_back(pod.value);
  return command(how.global, words);
}

Result<void> PodmanRunner::stop(const PodId& pod) {
  PFS_TRY_ASSIGN(const Setting how, setting());
  PFS_TRY(has_monitor(pod.value) ? remove(how, pod.value) : remove_half_made(how, pod.value));
  settle(pod.value);
  return {};
}

Result<void> PodmanRunner::remove(const Setting& setting, const std::string& container) const {
  std::string why;
  // Of a container whose monitor was killed nobody can say how it ended: podman kills it, or finds that the runtime does not know
  // it any more, fails for that, and removes it the next time.
  for (int attempt = 0; attempt < kRemoveTries; ++attempt) {
    PFS_TRY_ASSIGN(const ProcessResult removed,
                   run_process(command(setting.global, options_.engine.remove(container))));
    if (removed.succeeded() || removed.errors.find("No such container") != std::string::npos) return {};
    why = removed.last_error_line();
  }
  return Error{Code::kUnavailable, fmt::format("remove container {}: {}", container, why)};
}

Result<void> PodmanRunner::end_unknown(const Setting& setting, const std::string& container) const {
  if (!nobody_makes(container)) return {};  // podman is asked all the same, and asked again when that has ended
  PFS_TRY_ASSIGN(const ProcessResult told,
                 run_process(command(setting.global, {"container", "inspect", "--format",
                                                      "{{.Id}} {{.State.Status}} {{.OCIRuntime}}", "--", container})));
  std::optional<RuntimeRecord> known;
  if (told.succeeded()) {
    std::istringstream text(trimmed(told.output));
    RuntimeRecord record;
    std::string state;
    text >> record.id >> state >> std::ws;
    std::getline(text, record.runtime);
    // podman knows that it runs, or has run, and by its monitor all that there is
    if (state != "created" && has_monitor(container)) return {};
    known = std::move(record);
  } else if (!says_any(told, {"no such container", "No such container"})) {
    return Error{Code::kUnavailable, fmt::format("inspect container {}: {}", container, told.last_error_line())};
  }
  // without root, a container's processes are only ours within podman's user namespace
  return end_half_made(container, known, ::geteuid() == 0 ? std::vector<std::string>{} : command(setting.global, {"unshare"}));
}

Result<void> PodmanRunner::remove_half_made(const Setting& setting, const std::string& container) const {
  Result<void> ended;
  if (options_.engine.kind() == ContainerEngine::Kind::kPodman) {  // of docker's the daemon knows all that there is
    ended = end_unknown(setting, container);
    for (int attempt = 1; !ended && attempt < kRemoveTries; ++attempt) ended = end_unknown(setting, container);
  }
  if (!ended) return ended;
  return remove(setting, container);  // last: podman is to know it until then
}

Result<std::vector<std::string>> PodmanRunner::list(const Setting& setting, const std::vector<std::string>& words) const {
  std::vector<std::string> all{"ps", "--all", "--format", "{{.Names}}"};
  append(all, words);
  PFS_TRY_ASSIGN(const ProcessResult found, run_process(command(setting.global, all)));
  if (!found.succeeded()) return Error{Code::kUnavailable, "list containers: " + found.last_error_line()};
  std::vector<std::string> names;
  std::istringstream lines(found.output);
  for (std::string name; std::getline(lines, name);) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

Result<void> PodmanRunner::stop_all(const std::map<std::string, std::string>& labels) {
  PFS_TRY_ASSIGN(const Setting how, setting());
  std::vector<std::string> filters;
  for (const auto& [name, value] : labels) append(filters, {"--filter", fmt::format("label={}={}", name, value)});
  PFS_TRY_ASSIGN(const std::vector<std::string> containers, list(how, filters));
  for (const std::string& container : containers) {
    PFS_TRY(remove_half_made(how, container));
    settle(container);
  }
  return {};
}

Result<void> PodmanRunner::remove_of_start(const std::string& start) {
  PFS_TRY(stop_all({{kStartLabel, start}}));
  if (options_.engine.kind() == ContainerEngine::Kind::kDocker) return {};
  PFS_TRY_ASSIGN(const Setting how, setting());
  PFS_TRY_ASSIGN(std::vector<std::string> others, list(how, {"--external"}));
  for (const ContainerMonitor& monitor : container_monitors()) others.push_back(monitor.container);
  for (const std::string& container : others) {
    if (container.ends_with(StartRecords::suffix_of(start))) PFS_TRY(remove_half_made(how, container));
  }
  return {};
}

void PodmanRunner::remove_earlier() {
  sweep_ = std::make_unique<LeftoverSweep>(
      *records_,
      LeftoverSweep::Engine{[](const std::string& start) { return is_word_of_a_process(StartRecords::label_of(start)); },
                            [this](const std::string& start) { return remove_of_start(start); }});
}

}  // namespace pfs::trigger
