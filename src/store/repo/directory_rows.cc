#include "store/repo/directory_rows.h"

#include <utility>

namespace pfs::store {

Result<std::optional<DirectoryRows::Name>> DirectoryRows::next() {
  if (next_ == names_.size() && more_) PFS_TRY(read());
  if (next_ == names_.size()) return std::optional<Name>();
  return std::optional(std::move(names_[next_++]));
}

Result<void> DirectoryRows::read() {
  names_.clear();
  next_ = 0;
  more_ = false;
  Result<void> outcome;
  const auto from = last_.empty() ? delta_directory_begin(directory_) : delta_name_end(directory_, last_);
  PFS_TRY(local_.scan(
      Family::kDelta, from, delta_directory_end(directory_),
      [&](std::string_view key, std::string_view value) {
        auto parsed = parse_delta_key(key);
        if (!parsed) {
          outcome = std::move(parsed).error();
          return false;
        }
        // the newest row of a name comes first
        if (parsed->epoch > epoch_ || (!names_.empty() && names_.back().name == parsed->name)) return true;
        if (names_.size() == kAtOnce) {
          more_ = true;
          return false;
        }
        auto row = DeltaRow::decode(value, parsed->name);
        if (!row) {
          outcome = std::move(row).error();
          return false;
        }
        names_.push_back({std::move(parsed->name), std::move(*row)});
        return true;
      },
      at_));
  PFS_TRY(std::move(outcome));
  if (!names_.empty()) last_ = names_.back().name;
  return {};
}

}  // namespace pfs::store
