// mount.pfs: what mount(8) runs for `mount -t pfs WHAT DIR` and for a line of fstab. It starts pfsd
// for a store, or mounts a branch or a directory of a commit of a store that is mounted, and
// returns when the mount answers. It includes nothing of pfs, uses no shell, and starts one program
// by its absolute path with an environment of its own, because mount(8) may run it with privileges.
//
// Source: mount(8), "External helpers" and "Exit status"; the argument order is libmount's.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "mount-helper/ask.h"
#include "mount-helper/bind.h"
#include "mount-helper/daemon.h"
#include "mount-helper/mounts.h"
#include "mount-helper/request.h"

namespace pfs::mount_helper {
namespace {

// What belongs to the daemon's mount cannot be another for a part of it.
int refuse_of_running(const Request& request, const Mount& whole) {
  complain(request.for_daemon.front().name +
           ": is the same for all mounts of a store, and it is mounted at " + whole.point +
           " already; set it there");
  return kUsage;
}

// No branch is made through the mount of a part.
const DaemonOption* policy_of(const Request& request) {
  const auto found = std::find_if(request.for_daemon.begin(), request.for_daemon.end(),
                                  [](const auto& each) { return each.name.starts_with("commit"); });
  return request.part.empty() || found == request.for_daemon.end() ? nullptr : &*found;
}

bool is_mounted(const Request& request, const Mount& whole) {
  return geteuid() == 0 ? is_bound(request, whole) : is_asked_for(request, whole);
}

int mount_part(const Request& request) {
  if (const auto* policy = policy_of(request)) {
    const std::string ref = request.part.substr(0, request.part.find('/'));
    complain(policy->name + ": is of the branches that are made through a mount of the whole store; " +
             ref + " has its own: `pfs update branch`");
    return kUsage;
  }
  int status = 0;
  auto whole = find_whole(request, status);
  if (status != 0) return status;
  if (whole && !request.for_daemon.empty()) {
    // `mount -a` asks for what is there already, maybe by the line that has started the daemon
    return is_mounted(request, *whole) ? 0 : refuse_of_running(request, *whole);
  }
  if (!whole && request.part.empty()) return start_pfsd(request, request.directory);
  if (!whole) {
    const std::string place = place_for_whole(request.store);
    if (place.empty()) return kSystem;
    if (const int started = start_pfsd(request, place); started != 0) return started;
    whole = Mount{"/", place, {}};
  }
  return geteuid() == 0 ? bind_part(request, *whole) : ask_for_part(request, *whole);
}

int run(const Request& request) {
  if (request.verbose)
    std::printf("mount.pfs: %s on %s\n", request.spec.c_str(), request.directory.c_str());
  if (request.fake) return 0;
  if (request.remount) return change_attributes(request);
  if (!clear_dead(request.directory)) return kFailed;
  struct stat about {};
  if (stat(request.directory.c_str(), &about) == 0 && !S_ISDIR(about.st_mode)) {
    complain(request.directory + ": not a directory, so nothing can be mounted on it; choose one");
    return kFailed;
  }
  if (request.bind) return mount_part(request);
  return is_served(request) ? 0 : start_pfsd(request, request.directory);
}

}  // namespace
}  // namespace pfs::mount_helper

int main(int argc, char** argv) {
  const auto request = pfs::mount_helper::parse(argc, argv);
  return request ? pfs::mount_helper::run(*request) : pfs::mount_helper::kUsage;
}
