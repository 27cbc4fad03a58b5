// File handles (name_to_handle_at(2), NFS servers) outlive what the kernel remembers, and the daemon.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "support/mounted.h"

using namespace pfs;
using namespace pfs::test;

namespace {

/// What name_to_handle_at(2) gives, and where it leads to.
class Kept {
 public:
  explicit Kept(const std::string& path) {
    handle()->handle_bytes = MAX_HANDLE_SZ;
    int mount = 0;
    REQUIRE(outcome(::name_to_handle_at(AT_FDCWD, path.c_str(), handle(), &mount, 0)) == 0);
  }
  /// `ESTALE`, or the bytes of the file.
  std::string contents(const Mounted& mounted) {
    const UniqueFd top(::open(mounted.mount().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd file(::open_by_handle_at(top.get(), handle(), O_RDONLY | O_CLOEXEC));
    if (!file) return errno == ESTALE ? "ESTALE" : std::strerror(errno);
    std::array<char, 64> text{};
    const auto size = ::read(file.get(), text.data(), text.size());
    return size < 0 ? std::strerror(errno) : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  file_handle* handle() { return reinterpret_cast<file_handle*>(bytes_.data()); }
  alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> bytes_;
};

}  // namespace

TEST_CASE("a file handle leads to its file after kills, whoever has looked what up by then", "[mount]") {
  if (::geteuid() != 0) return;
  Mounted mounted;
  mounted.make_branch("data@master");
  const auto directory = mounted / "data@master/d/e";
  boost::filesystem::create_directories(directory);
  const auto path = [&](int i) { return directory + "/f" + std::to_string(i); };
  constexpr int kFiles = 50;
  std::vector<Kept> kept;
  for (int i = 0; i < kFiles; ++i) {
    put(path(i), std::to_string(i));
    kept.emplace_back(path(i));
  }
  const auto all_lead = [&](const char* when) {
    for (int i = 0; i < kFiles; ++i) {
      INFO(when << ", file " << i);
      CHECK(kept[static_cast<std::size_t>(i)].contents(mounted) == std::to_string(i));
    }
  };
  all_lead("at once");
  REQUIRE(mounted.kill());
  mounted.start();
  all_lead("nothing looked up");
  REQUIRE(mounted.kill());
  mounted.start();
  for (int i = kFiles - 1; i >= 0; --i) REQUIRE(contents(path(i)) == std::to_string(i));
  all_lead("in another order");
  // forgotten by the kernel, and moved about
  REQUIRE(outcome(::rename(directory.c_str(), (mounted / "data@master/moved").c_str())) == 0);
  REQUIRE(outcome(::rename((mounted / "data@master/moved/f7").c_str(), (mounted / "data@master/seven").c_str())) == 0);
  REQUIRE(mounted.kill());
  mounted.start();
  all_lead("renamed");
  REQUIRE(outcome(::unlink((mounted / "data@master/seven").c_str())) == 0);
  CHECK(kept[7].contents(mounted) == "ESTALE");
  put(mounted / "data@master/other", "another");
  REQUIRE(mounted.kill());
  mounted.start();
  CHECK(kept[7].contents(mounted) == "ESTALE");
  CHECK(kept[8].contents(mounted) == "8");
}
