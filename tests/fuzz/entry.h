#pragma once

#include <string>

#include "store/types.h"

namespace pfs::test {

/// A small file with an attribute.
inline store::Entry fuzzed_entry(const std::string& name) {
  store::Entry made;
  made.name = name;
  made.attributes.mode = 0644;
  made.content.bytes = "some bytes";
  made.content.size = made.content.bytes.size();
  made.xattrs["user.a"] = "b";
  return made;
}

}  // namespace pfs::test
