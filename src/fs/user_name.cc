#include "fs/user_name.h"

#include <pwd.h>

#include <vector>

#include <fmt/format.h>

namespace pfs::fs {

std::string name_of_user(std::uint32_t uid) {
  std::vector<char> buffer(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found)
    return found->pw_name;
  return fmt::format("uid {}", uid);
}

}  // namespace pfs::fs
