#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pfs::cli {

/// What a check found; `command` is what mends it, or the advice where no command does.
struct Finding {
  enum class Verdict { kOk, kWarning, kError };
  Verdict verdict;
  std::string object;
  std::string found;
  std::string command;
};

/// Of this machine and this process's user: FUSE, mounting for others, podman and what it needs for users, the port, the clock, limits.
/// `daemon_runs_containers`: it has an engine that works, so that one is not missed here.
std::vector<Finding> check_machine(bool daemon_runs_containers);

/// What podman needs beside itself to run containers of this process's user, one by one; nothing where that is root, or
/// where there is no podman.
std::vector<Finding> check_rootless(bool daemon_runs_containers);

/// Whether `text`, what is in /etc/subuid or /etc/subgid (`path`), has ids for a user's containers. Source: subuid(5).
/// `when_missing`: what it comes to that it has none.
Finding judge_subordinate_ids(const std::string& path, const std::string& text, const std::string& user,
                              std::uint32_t uid, Finding::Verdict when_missing);

/// Where PATH has it.
std::optional<std::string> find_program(const std::string& name);

/// A file of the kernel's, whose size is 0 whatever is in it.
std::string text_of_proc(const std::string& path);

/// Of a store's directory, without opening it: format, who has it, permissions, room for bytes and
/// for files. Shape: one finding where there is no store.
std::vector<Finding> check_store(const std::string& path);

/// Whether so much free room is enough; `object` names the disk.
Finding judge_space(const std::string& object, std::uint64_t free_bytes, std::uint64_t total_bytes);

}  // namespace pfs::cli
