#pragma once

#include <sys/types.h>

#include <string>

namespace pfs {

/// A process for messages: `1234 (vim)`, or its number alone when it has ended. Reads /proc.
std::string name_of_process(pid_t pid);

}  // namespace pfs
