#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "api/client/connection.h"
#include "base/ids.h"
#include "base/result.h"

namespace pfs::client {

struct DatumFile {
  std::string repo;
  std::string branch;
  std::string commit;
  std::string name;  ///< of the input
  std::string path;  ///< any bytes
  std::uint64_t size = 0;
};

struct Datum {
  std::string id;     ///< empty: of a spec without a salt
  std::string job;    ///< likewise
  std::string state;  ///< the word of tables: `skipped`; `-` of a spec
  std::vector<DatumFile> files;
  std::uint64_t input_bytes = 0;
  std::uint64_t output_bytes = 0;   ///< this one and what is below: 0 unless the job has run it
  std::uint64_t read_bytes = 0;     ///< by its command
  std::uint64_t written_bytes = 0;  ///< likewise
  std::chrono::nanoseconds download_time{0};  ///< of all attempts: to make what the command sees,
  std::chrono::nanoseconds process_time{0};   ///< that it ran,
  std::chrono::nanoseconds upload_time{0};    ///< to take what it had put out
};

class Datums {
 public:
  explicit Datums(const Connection& connection) : connection_(connection) {}

  using Visit = std::function<Result<void>(const Datum&)>;
  struct Page {
    std::uint64_t first = 0;            ///< so many are left out
    std::optional<std::uint64_t> most;  ///< then so many are told
  };
  /// In the order in which the job processes them.
  Result<void> list(const JobId& job, const Page& page, const Visit& visit) const;
  /// What a pipeline of that spec would have now.
  Result<void> plan(const std::string& spec_json, const Page& page, const Visit& visit) const;
  Result<Datum> inspect(const JobId& job, const Digest& id) const;

 private:
  const Connection& connection_;
};

}  // namespace pfs::client
