#include "cli/address.h"

#include <sys/stat.h>

#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

namespace pfs::cli {
namespace {

constexpr char kMachineSocket[] = "/run/pfs/pfsd.sock";

/// `from` names the place that the address comes from, for messages.
Result<std::string> path_of(std::string_view address, std::string_view from) {
  if (address.starts_with("unix:")) {
    address.remove_prefix(5);
    if (address.starts_with("//")) address.remove_prefix(2);  // unix:///run/…
  } else if (!address.starts_with("/")) {
    return Error{
        Code::kUnsupported,
        fmt::format("{} '{}': only addresses of the form unix:PATH are supported", from, address)};
  }
  if (address.empty())
    return Error{Code::kInvalid, fmt::format("{}: the path is missing; write unix:PATH", from)};
  return std::string(address);
}

}  // namespace

Surroundings real_surroundings() {
  Surroundings surroundings;
  surroundings.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
  };
  surroundings.exists = [](const std::string& path) {
    struct stat found {};
    return stat(path.c_str(), &found) == 0;
  };
  return surroundings;
}

Result<std::string> socket_path(const std::string& flag, const Surroundings& surroundings) {
  if (!flag.empty()) return path_of(flag, "--address");
  for (const auto* name : {"PFS_ADDRESS", "PACHD_ADDRESS"}) {
    if (const auto value = surroundings.variable(name)) return path_of(*value, name);
  }
  if (const auto directory = surroundings.variable("XDG_RUNTIME_DIR")) {
    auto users = *directory + "/pfs/pfsd.sock";
    if (surroundings.exists(users)) return users;
  } else if (const auto home = surroundings.variable("HOME")) {
    // where pfsd puts it then
    auto users = *home + "/.cache/pfs/pfsd.sock";
    if (surroundings.exists(users)) return users;
  }
  return std::string(kMachineSocket);
}

}  // namespace pfs::cli
