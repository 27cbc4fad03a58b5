#include "cli/temporaries.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include <catch2/catch.hpp>

#include "support/temporary_directory.h"

namespace pfs::cli {
namespace {

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

TEST_CASE("an interrupt takes temporary files and their directory, and no others", "[cli][temporaries]") {
  test::TemporaryDirectory directory;
  const std::string made = directory / "made";
  const std::string gone = directory / "gone";
  const std::string kept = directory / "kept";
  REQUIRE(::mkdir(made.c_str(), 0700) == 0);
  for (const auto& path : {made + "/old", gone, kept}) std::ofstream(path) << "text";
  Temporary top(made);
  Temporary moved(std::move(top));
  const Temporary old(made + "/old");
  const Temporary never(made + "/new");
  Temporary replaced(kept);
  replaced = Temporary(gone);
  { const Temporary ended(kept); }

  remove_temporaries();
  CHECK_FALSE(is_there(made));
  CHECK_FALSE(is_there(gone));
  CHECK(is_there(kept));
}

}  // namespace
}  // namespace pfs::cli
