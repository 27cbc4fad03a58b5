#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>
#include <fmt/format.h>

#include "base/names.h"
#include "cli/table.h"

namespace pfs::cli {

/// `egressing` is Pachyderm's: scripts ask for it, and none of our jobs is in it.
inline constexpr std::array<std::string_view, 7> kJobStates{
    "starting", "running", "merging", "egressing", "success", "failure", "killed"};
/// The last two are Pachyderm's, too.
inline constexpr std::array<std::string_view, 7> kPipelineStates{
    "starting", "running", "failure", "standby", "paused", "restarting", "crashing"};

/// --state, for some of the `known` ones (which must live as long as the command); another one is
/// an error of usage.
inline CLI::Option* add_state_option(CLI::App& command, std::vector<std::string>& states,
                                     std::span<const std::string_view> known) {
  const auto all = fmt::format("{}", fmt::join(known, ", "));
  const auto check = [known, all](const std::string& state) {
    if (std::find(known.begin(), known.end(), state) != known.end()) return std::string();
    return fmt::format("'{}' is no state; say one of: {}", printable(state), all);
  };
  return command.add_option("--state", states, "In one of these states only: " + all)
      ->delimiter(',')
      ->check(check);
}

/// The colour of a pipeline's or job's state word.
inline Colour colour_of(const std::string& state) {
  if (state == "success" || state == "running") return Colour::kGreen;
  if (state == "failure" || state == "killed") return Colour::kRed;
  return Colour::kYellow;
}

}  // namespace pfs::cli
