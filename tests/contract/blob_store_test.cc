#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <array>
#include <tuple>

#include <openssl/evp.h>

#include "store/blob_store.h"
#include "store/pack/dir_blob_store.h"
#include "support/memory_blob_store.h"
#include "support/temporary_directory.h"

namespace pfs::store {
namespace {

class MemoryBlobs {
 public:
  BlobStore& blobs() { return blobs_; }
  const test::TemporaryDirectory& directory() const { return directory_; }

 private:
  test::TemporaryDirectory directory_;
  test::MemoryBlobStore blobs_;
};

class DirBlobs {
 public:
  DirBlobs() : blobs_(DirBlobStore::open(directory_ / "blobs").value()) {}
  BlobStore& blobs() { return *blobs_; }
  const test::TemporaryDirectory& directory() const { return directory_; }

 private:
  test::TemporaryDirectory directory_;
  std::unique_ptr<DirBlobStore> blobs_;
};

using BlobBackends = std::tuple<MemoryBlobs, DirBlobs>;

BlobName name_of_bytes(std::string_view bytes) {
  BlobName name;
  EVP_Digest(bytes.data(), bytes.size(), name.array().data(), nullptr, EVP_sha256(), nullptr);
  return name;
}

/// A file of those bytes, ready to be put; returns its path.
std::string file_of(const test::TemporaryDirectory& directory, std::string_view bytes) {
  const auto path = directory / "to be put";
  REQUIRE(write_file_atomically(path, bytes));
  return path;
}

template <class Backend>
BlobName put(Backend& backend, std::string_view bytes) {
  const auto name = name_of_bytes(bytes);
  REQUIRE(backend.blobs().put(name, file_of(backend.directory(), bytes)));
  return name;
}

std::string get(const BlobStore& blobs, const BlobName& name, std::uint64_t offset, std::size_t size) {
  std::string out(size, '?');
  const auto got = blobs.get(name, offset, std::as_writable_bytes(std::span(out)));
  REQUIRE(got);
  out.resize(*got);
  return out;
}

std::vector<BlobName> names(const BlobStore& blobs, const BlobName& after = {}) {
  std::vector<BlobName> found;
  REQUIRE(blobs.list(after, [&](const BlobName& name) {
    found.push_back(name);
    return true;
  }));
  return found;
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a stored blob reads back, and only what is there", "[store][contract]", BlobBackends) {
  TestType backend;
  BlobStore& blobs = backend.blobs();
  const auto name = put(backend, "hello");

  CHECK(get(blobs, name, 0, 5) == "hello");
  CHECK(get(blobs, name, 1, 3) == "ell");

  SECTION("a read up to the end is short") {
    CHECK(get(blobs, name, 3, 100) == "lo");
    CHECK(get(blobs, name, 5, 100).empty());
  }
  SECTION("a read past the end is refused") {
    std::array<std::byte, 4> out{};
    const auto read = blobs.get(name, 6, out);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Code::kInvalid);
  }
  SECTION("a read of what is not there is refused") {
    std::array<std::byte, 4> out{};
    const auto read = blobs.get(name_of_bytes("other"), 0, out);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Code::kNotFound);
  }
}

TEMPLATE_LIST_TEST_CASE("a blob store takes the file that is put, also one that it has", "[store][contract]",
                        BlobBackends) {
  TestType backend;
  const auto name = put(backend, "hello");
  CHECK_FALSE(exists(backend.directory() / "to be put"));
  CHECK(put(backend, "hello") == name);
  CHECK_FALSE(exists(backend.directory() / "to be put"));
  CHECK(names(backend.blobs()).size() == 1);
  CHECK(get(backend.blobs(), name, 0, 5) == "hello");
}

TEMPLATE_LIST_TEST_CASE("a put of a file that is not there is refused and leaves nothing", "[store][contract]",
                        BlobBackends) {
  TestType backend;
  const auto refused = backend.blobs().put(name_of_bytes("hello"), backend.directory() / "nowhere");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kNotFound);
  CHECK(names(backend.blobs()).empty());
}

TEMPLATE_LIST_TEST_CASE("blobs are listed in the order of their names, from any one on", "[store][contract]",
                        BlobBackends) {
  TestType backend;
  BlobStore& blobs = backend.blobs();
  CHECK(names(blobs).empty());
  std::vector<BlobName> put_names;
  for (int i = 0; i < 40; ++i) put_names.push_back(put(backend, "blob " + std::to_string(i)));
  std::sort(put_names.begin(), put_names.end());

  CHECK(names(blobs) == put_names);
  CHECK(names(blobs, put_names[29]) == std::vector<BlobName>(put_names.begin() + 30, put_names.end()));
  CHECK(names(blobs, put_names.back()).empty());

  int visited = 0;
  REQUIRE(blobs.list({}, [&](const BlobName&) { return ++visited < 3; }));
  CHECK(visited == 3);
}

TEMPLATE_LIST_TEST_CASE("a removed blob is gone, and removing it again succeeds", "[store][contract]", BlobBackends) {
  TestType backend;
  BlobStore& blobs = backend.blobs();
  const auto name = put(backend, "hello");
  const auto other = put(backend, "other");
  REQUIRE(blobs.remove(name));
  REQUIRE(blobs.remove(name));
  CHECK(names(blobs) == std::vector<BlobName>{other});
  std::array<std::byte, 4> out{};
  CHECK(blobs.get(name, 0, out).error().code == Code::kNotFound);
}

TEST_CASE("a directory of blobs opens again as it was, whatever else lies in it", "[store][contract]") {
  DirBlobs backend;
  const auto name = put(backend, "hello");
  REQUIRE(write_file_atomically(backend.directory() / ("blobs/" + name.hex().substr(0, 2) + "/README"), "not a blob"));
  const auto again = DirBlobStore::open(backend.directory() / "blobs").value();
  CHECK(names(*again) == std::vector<BlobName>{name});
  CHECK(get(*again, name, 0, 5) == "hello");
}

}  // namespace pfs::store
