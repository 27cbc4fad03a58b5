#include "base/file.h"

#include <catch2/catch.hpp>

#include <fcntl.h>

#include "support/temporary_directory.h"

namespace pfs {
namespace {

std::string read_at(const File& file, std::uint64_t offset, std::size_t size) {
  std::string out(size, '?');
  out.resize(file.read_at(offset, std::as_writable_bytes(std::span(out))).value());
  return out;
}

}  // namespace

TEST_CASE("a file reads back what was written, and less only at its end", "[base]") {
  const test::TemporaryDirectory directory;
  const auto file = File::open(directory / "f", O_RDWR | O_CREAT).value();
  REQUIRE(file.write_at(2, "head", "body"));
  REQUIRE(file.sync_data());
  CHECK(file.size().value() == 10);
  CHECK(read_at(file, 0, 100) == std::string("\0\0headbody", 10));
  CHECK(read_at(file, 6, 4) == "body");
  CHECK(read_at(file, 10, 4).empty());

  std::array<std::byte, 4> out{};
  CHECK(file.read_exactly(6, out));
  CHECK(file.read_exactly(7, out).error().code == Code::kCorrupt);
}

TEST_CASE("a file that is not there cannot be opened", "[base]") {
  const test::TemporaryDirectory directory;
  const auto refused = File::open(directory / "f", O_RDONLY);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kNotFound);
  CHECK_FALSE(File());
}

TEST_CASE("a file is replaced whole", "[base]") {
  const test::TemporaryDirectory directory;
  REQUIRE(write_file_atomically(directory / "f", "first"));
  REQUIRE(write_file_atomically(directory / "f", "2nd"));
  CHECK(read_file(directory / "f").value() == "2nd");
  CHECK(read_file("/proc/sys/kernel/pid_max").value().size() > 2);  // what is left of it cannot be read by a second call
  CHECK(read_file("/proc/self/comm").value().ends_with("\n"));  // its size is said to be 0
  CHECK(File::open(directory / "f.new", O_RDONLY).error().code == Code::kNotFound);
  CHECK(write_file_atomically(directory / "nowhere/f", "x").error().code == Code::kNotFound);
}

TEST_CASE("a descriptor has one owner", "[base]") {
  UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = first.get();
  UniqueFd second(std::move(first));
  CHECK(second.get() == number);
  UniqueFd third;
  third = std::move(second);
  CHECK(third.get() == number);
  third.reset();
  CHECK_FALSE(third);
  CHECK(::fcntl(number, F_GETFD) == -1);
}

}  // namespace pfs
