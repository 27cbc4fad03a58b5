// Pipeline specs, as anybody may send them: one is refused or understood, and what is understood is written as a spec that
// is understood as the same. With clang and -DPFS_FUZZ=ON a libFuzzer target; else `fuzz_specs_test` feeds it mutations of
// good specs.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "trigger/internal/spec.h"
#include "trigger/internal/spec_plan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pfs::trigger;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto spec = parse_spec(text);
  if (!spec) return 0;
  const std::string written = to_json(*spec);
  const auto again = parse_spec(written);
  if (!again || to_json(*again) != written || !differences(written, to_json(*again)).empty()) std::abort();
  return 0;
}
