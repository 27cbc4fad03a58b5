#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace pfs::cli {

/// The script that makes a shell ask `pfs __complete`; nullopt: a shell that is not known.
std::optional<std::string> completion_script(const std::string& shell);

/// What can stand in the place of the last of `words`, which is what was typed of it: verbs, nouns,
/// flags, and names that `names_like` knows (`repo`, `branch` or `pipeline`, and what was typed).
using NamesLike =
    std::function<std::vector<std::string>(const std::string& kind, const std::string& typed)>;
std::vector<std::string> completions(const CLI::App& app, const std::vector<std::string>& words,
                                     const NamesLike& names_like);

}  // namespace pfs::cli
