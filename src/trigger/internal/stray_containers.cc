#include "trigger/internal/stray_containers.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <string_view>
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace pfs::trigger {

namespace {

constexpr std::chrono::milliseconds kMakingPatience{10'000};
constexpr std::chrono::milliseconds kLookAgain{10};

bool comes_true(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kMakingPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(kLookAgain);
  }
  return true;
}

/// The runtime's options of a monitor: `--runtime-arg=OPTION` or `--runtime-arg OPTION`. Its log, which is told by two of them, is
/// the container's, and not ours to write.
std::vector<std::string> without_log(const std::vector<std::string>& options) {
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (options[i] == "--log") {
      ++i;
    } else if (!options[i].starts_with("--log=") && !options[i].starts_with("--log-format=")) {
      kept.push_back(options[i]);
    }
  }
  return kept;
}

}  // namespace

std::optional<ContainerMonitor> monitor_of(const RunningProcess& process) {
  const std::vector<std::string>& words = process.words;
  if (words.empty() || words[0].substr(words[0].rfind('/') + 1) != "conmon") return std::nullopt;
  constexpr std::string_view kOption = "--runtime-arg";
  ContainerMonitor monitor{process, {}, {}, {}};
  std::string program;
  std::vector<std::string> options;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.starts_with(kOption) && word.size() > kOption.size() && word[kOption.size()] == '=') {
      options.push_back(word.substr(kOption.size() + 1));
      continue;
    }
    if (i + 1 == words.size()) continue;
    const std::string& value = words[i + 1];
    if (word == "-n" || word == "--name") {
      monitor.container = value;
    } else if (word == "-c" || word == "--cid") {
      monitor.id = value;
    } else if (word == "-r" || word == "--runtime") {
      program = value;
    } else if (word == kOption) {
      options.push_back(value);
    } else if (word != "--exit-command-arg") {
      continue;
    }
    ++i;  // the value is no option, whatever it looks like: podman's own words are among them
  }
  if (monitor.container.empty() || monitor.id.empty() || program.empty()) return std::nullopt;
  monitor.runtime = without_log(options);
  monitor.runtime.insert(monitor.runtime.begin(), program);
  return monitor;
}

std::vector<ContainerMonitor> container_monitors() {
  std::vector<ContainerMonitor> found;
  for (const RunningProcess& process : running_processes()) {
    if (auto monitor = monitor_of(process)) found.push_back(*std::move(monitor));
  }
  return found;
}

bool has_monitor(const std::string& container) {
  const auto monitors = container_monitors();
  return std::any_of(monitors.begin(), monitors.end(), [&](const ContainerMonitor& one) { return one.container == container; });
}

bool nobody_makes(const std::string& container) {
  const std::vector<std::string> wanted{"--name", container};
  return comes_true([&] {
    const auto processes = running_processes();
    return std::none_of(processes.begin(), processes.end(), [&](const RunningProcess& process) {
      return std::search(process.words.begin(), process.words.end(), wanted.begin(), wanted.end()) != process.words.end() &&
             !monitor_of(process);
    });
  });
}

Result<void> end_half_made(const std::string& container, const std::optional<RuntimeRecord>& known,
                           const std::vector<std::string>& within) {
  std::map<std::string, std::vector<std::string>> runtimes;  // by the container's id there
  if (known) runtimes[known->id] = {known->runtime};
  const bool ended = comes_true([&] {
    bool none = true;
    for (ContainerMonitor& monitor : container_monitors()) {
      if (monitor.container != container) continue;
      // before the runtime is asked: a monitor's end is the end of a `create` that it waits for, which would come in between
      kill_process(monitor.process);
      runtimes[monitor.id] = std::move(monitor.runtime);
      none = false;
    }
    return none && std::none_of(runtimes.begin(), runtimes.end(), [](const auto& entry) { return is_word_of_a_process(entry.first); });
  });
  if (!ended) return Error{Code::kUnavailable, fmt::format("container {}: its monitor or runtime does not end", container)};
  for (const auto& [id, runtime] : runtimes) {
    std::vector<std::string> words = within;
    words.insert(words.end(), runtime.begin(), runtime.end());
    words.insert(words.end(), {"delete", "--force", id});
    const auto removed = run_process(words);
    if (!removed && removed.error().code == Code::kNotFound) {
      spdlog::warn("container {}: {}; something of it may be left", container, removed.error().message);
      continue;
    }
    if (!removed) return removed.error();
    if (!removed->succeeded()) {
      return Error{Code::kUnavailable, fmt::format("container {}: {}: {}", container, runtime.front(), removed->last_error_line())};
    }
  }
  return {};
}

}  // namespace pfs::trigger
