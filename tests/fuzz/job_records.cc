// What pipelines and jobs keep on the disk, fed with bytes that nobody trusts: a decoder refuses or succeeds, and what it accepts it
// can write and read again. With clang and -DPFS_FUZZ=ON a libFuzzer target; else `fuzz_job_records_test` feeds it mutations
// of good records.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "trigger/internal/records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pfs::trigger;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0:
      if (const auto pipeline = decode_pipeline(bytes)) require(decode_pipeline(encode(*pipeline)).has_value());
      break;
    case 1:
      if (const auto caused = decode_caused(bytes)) require(decode_caused(encode(*caused)).has_value());
      break;
    case 2:
      if (const auto job = decode_job(bytes)) require(decode_job(encode(*job)).has_value());
      break;
    case 3:
      if (const auto datum = decode_datum(bytes)) require(decode_datum(encode(*datum)).has_value());
      break;
    case 4:
      if (const auto miss = decode_miss(bytes)) require(decode_miss(encode(*miss)).value() == *miss);
      break;
    case 5:
      if (const auto names = decode_names(bytes)) require(decode_names(encode_names(*names)).value() == *names);
      break;
    case 6:
      if (const auto version = decode_version(bytes)) require(decode_version(encode(*version)).has_value());
      break;
  }
  return 0;
}
