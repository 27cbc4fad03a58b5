#include "fs/control_text.h"

#include <ctime>

#include <fmt/format.h>

#include "base/process_name.h"

namespace pfs::fs {

namespace {

std::string utc(Timestamp when) {
  const std::time_t seconds = when.seconds();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

std::string text_of_open_commit(const store::Branch& branch, const store::OpenCommit& open) {
  std::string text = fmt::format("branch: {}\n", branch.ref.str());
  text += fmt::format("open: {}\n", open.id.hex());
  text += fmt::format("head: {}\n", branch.head ? branch.head->hex() : "none");
  text += fmt::format("changed: {}\n", open.changed ? "yes" : "no");
  if (open.changed) text += fmt::format("last change: {}\n", utc(open.last_change));
  if (open.by_hand)
    text += "opened by hand: ends with `pfs finish commit` or a line written here\n";
  if (!open.description.empty())
    text += fmt::format("description: {}\n", printable(open.description));
  if (open.finishing) text += fmt::format("finishing: {}\n", open.finishing->hex());
  for (const auto& [path, pid] : open.being_written) {
    text += fmt::format("being written: {}{}\n", path,
                        pid == 0 ? "" : " by " + name_of_process(pid));
  }
  text += fmt::format("policy: {}\n", store::name_of(open.policy.when));
  if (open.by_hand || open.changed) {
    text += fmt::format("waits for: {}\n", store::waits_for(branch.ref, open));
  }
  if (!branch.output_of.empty()) {
    text += fmt::format("read-only: the output of pipeline {}\n", branch.output_of);
  }
  return text;
}

std::string text_of_log(const std::vector<store::LogEntry>& entries) {
  std::string text;
  for (const auto& entry : entries) {
    text += fmt::format("{} {} {} {}\n", entry.number, utc(entry.when), entry.new_head.hex(),
                        entry.why);
  }
  return text;
}

std::string description_of_message(std::string_view message) {
  if (message.ends_with('\n')) message.remove_suffix(1);
  return std::string(message);
}

}  // namespace pfs::fs
