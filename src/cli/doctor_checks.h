#pragma once

#include <cstdint>
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

/// Of this machine and this process's user: FUSE, mounting for others, podman, the port, the clock, limits.
/// `daemon_runs_containers`: it has an engine that works, so that one is not missed here.
std::vector<Finding> check_machine(bool daemon_runs_containers);

/// Of a store's directory, without opening it: format, who has it, permissions, room for bytes and
/// for files. Shape: one finding where there is no store.
std::vector<Finding> check_store(const std::string& path);

/// Whether so much free room is enough; `object` names the disk.
Finding judge_space(const std::string& object, std::uint64_t free_bytes, std::uint64_t total_bytes);

}  // namespace pfs::cli
