#pragma once

#include <cctype>
#include <string>
#include <vector>

#include "support/pipeline_fixture.h"

namespace pfs::test {

/// The program of the archive's pipeline: each file of the datum in upper case to /pfs/out; for a file called `bad` it fails.
inline trigger::worker::CommandEnd run_upper(PipelineFixture& fixture, const ProgramCall& call) {
  auto& trees = fixture.store().trees();
  const auto view = fixture.view(call);
  const auto input = must(trees.lookup(view, "text"));
  std::vector<std::string> names;
  must(trees.list(input, {}, [&](const store::ListedEntry& entry) {
    names.push_back(entry.name);
    return true;
  }));
  for (const auto& name : names) {
    if (name == "bad") {
      call.print("cannot be in upper case\n");
      return {trigger::worker::End::kExited, 3, {}};
    }
    std::string text = fixture.read_node(must(trees.lookup(input, name)));
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    fixture.write_file(must(trees.lookup(view, "out")), name, text);
  }
  return {};
}

}  // namespace pfs::test
