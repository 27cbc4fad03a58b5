#include "cli/split.h"

#include <fmt/format.h>

namespace pfs::cli {
namespace {

constexpr std::size_t kMaxRecord = std::size_t{64} << 20U;

bool is_space(char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

}  // namespace

std::optional<RecordFormat> record_format(std::string_view word) {
  if (word == "line") return RecordFormat::kLine;
  if (word == "csv") return RecordFormat::kCsv;
  if (word == "json") return RecordFormat::kJson;
  return std::nullopt;
}

std::string split_name(std::uint64_t number) { return fmt::format("{:016x}", number); }

Result<void> Splitter::add(std::string_view bytes) {
  for (const char byte : bytes) {
    const bool json = options_.format == RecordFormat::kJson;
    if (json && record_.empty() && is_space(byte)) continue;
    const bool ends = ends_with(byte);
    if (bad_) return Error{Code::kInvalid, "no JSON: a bracket is closed that was not opened"};
    record_ += byte;
    if (record_.size() > kMaxRecord) {
      return Error{Code::kTooLarge,
                   "a record of over 64 MiB; is it of the format that --split names?"};
    }
    if (ends) PFS_TRY(end_record());
  }
  return {};
}

bool Splitter::ends_with(char byte) {
  switch (options_.format) {
    case RecordFormat::kLine: return byte == '\n';
    case RecordFormat::kCsv:
      if (byte == '"') in_quotes_ = !in_quotes_;  // a doubled one is two turns
      return byte == '\n' && !in_quotes_;
    case RecordFormat::kJson: return json_ends_with(byte);
  }
  return false;
}

bool Splitter::json_ends_with(char byte) {
  if (in_quotes_) {
    if (escaped_) {
      escaped_ = false;
    } else if (byte == '\\') {
      escaped_ = true;
    } else if (byte == '"') {
      in_quotes_ = false;
      return depth_ == 0;
    }
    return false;
  }
  switch (byte) {
    case '"': in_quotes_ = true; return false;
    case '{':
    case '[': ++depth_; return false;
    case '}':
    case ']':
      bad_ = depth_ == 0;
      if (!bad_) --depth_;
      return depth_ == 0;
    default: return depth_ == 0 && is_space(byte);  // behind a number or a word
  }
}

Result<void> Splitter::end_record() {
  if (options_.format == RecordFormat::kJson) {
    while (is_space(record_.back())) record_.pop_back();
    record_ += '\n';
  }
  if (headers_ < options_.header_records) {
    ++headers_;
    header_ += record_;
    record_.clear();
    return {};
  }
  if (!open_) {
    open_ = true;
    file_records_ = 0;
    file_bytes_ = 0;
    PFS_TRY(begin_());
    if (!header_.empty()) PFS_TRY(data_(header_));
  }
  PFS_TRY(data_(record_));
  ++file_records_;
  file_bytes_ += record_.size();
  record_.clear();
  const bool full = (options_.records != 0 && file_records_ >= options_.records) ||
                    (options_.bytes != 0 && file_bytes_ >= options_.bytes) ||
                    (options_.records == 0 && options_.bytes == 0);
  if (full) open_ = false;
  return {};
}

Result<void> Splitter::finish() {
  if (in_quotes_) return Error{Code::kInvalid, "it ends within quotes"};
  if (depth_ != 0) return Error{Code::kInvalid, "it ends within a JSON value"};
  if (!record_.empty()) PFS_TRY(end_record());
  return {};
}

}  // namespace pfs::cli
