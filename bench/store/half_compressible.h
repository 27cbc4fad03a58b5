#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace pfs::bench {

/// An endless stream of bytes of which about half can be compressed away: stretches of random bytes and of words by
/// turns, 256 bytes to 4 KiB each, so that a file of 4 KiB is a mix as well. The same seed gives the same bytes on
/// every machine, and no two seeds share a chunk.
class HalfCompressible {
 public:
  explicit HalfCompressible(std::uint64_t seed);

  /// The next `size` bytes of the stream, in place of what `out` holds.
  void next(std::string& out, std::size_t size);

 private:
  void append_random(std::string& out, std::size_t size);
  void append_words(std::string& out, std::size_t size);

  std::mt19937_64 random_;
  std::vector<std::string> words_;
  bool random_turn_ = false;
};

/// A change of one version of a file: these bytes at this offset.
struct Edit {
  std::uint64_t offset = 0;
  std::string bytes;
};

/// 1 % of a file of `size` bytes, changed in place in 20 places; a function of the version and the size.
std::vector<Edit> edits_of_version(std::uint64_t version, std::uint64_t size);

/// The path of file `index` of a tree of small files: 100 a directory, three levels, so that a tree of 100,000 is one
/// that people have.
std::string path_in_tree(std::uint64_t index);

/// What that file holds: 512 bytes of 4,096 different contents.
std::string bytes_in_tree(std::uint64_t index);

/// The file that change `number` touches in a tree of `files`.
std::uint64_t index_of_change(std::uint64_t number, std::uint64_t files);

}  // namespace pfs::bench
