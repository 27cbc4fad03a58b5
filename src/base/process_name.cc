#include "base/process_name.h"

#include <fcntl.h>

#include <span>

#include <fmt/format.h>

#include "base/file.h"
#include "base/names.h"

namespace pfs {

std::string name_of_process(pid_t pid) {
  std::string name(64, '\0');  // the kernel's are shorter; files in /proc tell no size
  const auto file = File::open(fmt::format("/proc/{}/comm", pid), O_RDONLY);
  const auto got = file ? file->read_at(0, std::as_writable_bytes(std::span(name))) : Result<std::size_t>(std::size_t{0});
  name.resize(got.value_or(0));
  if (name.ends_with('\n')) name.pop_back();
  return name.empty() ? fmt::format("{}", pid) : fmt::format("{} ({})", pid, printable(name));
}

}  // namespace pfs
