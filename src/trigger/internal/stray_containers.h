#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "trigger/internal/process.h"

namespace pfs::trigger {

// A podman that is killed while it starts a container leaves one that podman calls created and knows no more of: its monitor
// (conmon) goes on and has the runtime make it, up to where its own program would begin. `podman rm` forgets such a container, and
// leaves the monitor, the process and the runtime's record to nobody. It leaves the runtime's record and the cgroup, too, of a
// container whose monitor was killed while it ran: to have the runtime delete them is the monitor's to ask.

/// conmon of a container, by its words. Source: conmon(8).
struct ContainerMonitor {
  RunningProcess process;
  std::string container;             ///< its name
  std::string id;
  std::vector<std::string> runtime;  ///< the program, and its options that say where its records are
};

/// Nothing where it is another program.
std::optional<ContainerMonitor> monitor_of(const RunningProcess& process);
/// All of this machine, whosever they are.
std::vector<ContainerMonitor> container_monitors();

/// Whether a container of that name has one.
bool has_monitor(const std::string& container);

/// Waits a while for that no process is left that may have a container of that name made. False: one is.
bool nobody_makes(const std::string& container);

/// By what a runtime knows a container.
struct RuntimeRecord {
  std::string id;
  std::string runtime;
};

/// Ends what is there of a container that podman does not know to run, or that has no monitor, without podman, which is still to
/// remove it. Where podman takes it to run, it fails the first time.
/// `known`: what podman says of it. `within`: the words that a runtime is called with before its own.
/// Errors: kUnavailable (a process of it does not end, or the runtime does not remove it), kIo.
Result<void> end_half_made(const std::string& container, const std::optional<RuntimeRecord>& known,
                           const std::vector<std::string>& within);

}  // namespace pfs::trigger
