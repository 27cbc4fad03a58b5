#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pfs::cli {

enum class RecordFormat {
  kLine,
  kCsv,   ///< a newline in quotes ends no record. Source: RFC 4180
  kJson,  ///< values one after another, each followed by a newline when it is written
};

struct SplitOptions {
  RecordFormat format = RecordFormat::kLine;
  std::uint64_t records = 0;         ///< a file has so many; neither this nor `bytes`: one
  std::uint64_t bytes = 0;           ///< or ends with the record that reaches so many
  std::uint64_t header_records = 0;  ///< the first ones, which each file begins with
};

/// `line`, `csv` or `json`.
std::optional<RecordFormat> record_format(std::string_view word);
/// The name of a file that a split made: 16 hex digits.
std::string split_name(std::uint64_t number);

/// Cuts bytes into records and deals these out to files. Holds one record at a time.
class Splitter {
 public:
  using Begin = std::function<Result<void>()>;
  using Data = std::function<Result<void>(std::string_view)>;

  /// `begin` is called for each file, `data` with what it holds.
  Splitter(const SplitOptions& options, Begin begin, Data data)
      : options_(options), begin_(std::move(begin)), data_(std::move(data)) {}

  /// Errors: kTooLarge (a record over 64 MiB), kInvalid (no JSON), and those of the callbacks.
  Result<void> add(std::string_view bytes);
  /// Errors: kInvalid (it ends within a record).
  Result<void> finish();

 private:
  /// Whether the record ends with `byte`.
  bool ends_with(char byte);
  bool json_ends_with(char byte);
  Result<void> end_record();

  const SplitOptions options_;
  const Begin begin_;
  const Data data_;
  std::string record_;
  std::string header_;
  std::uint64_t headers_ = 0;
  bool in_quotes_ = false;
  bool escaped_ = false;
  std::uint64_t depth_ = 0;
  bool bad_ = false;
  bool open_ = false;
  std::uint64_t file_records_ = 0;
  std::uint64_t file_bytes_ = 0;
};

}  // namespace pfs::cli
