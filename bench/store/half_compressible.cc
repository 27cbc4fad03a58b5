#include "half_compressible.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace pfs::bench {

namespace {

constexpr std::size_t kWords = 512;
constexpr std::uint64_t kVersionSeed = 1'000'000;  // away from the seeds of files
constexpr std::uint64_t kTreeSeed = 2'000'000;

}  // namespace

HalfCompressible::HalfCompressible(std::uint64_t seed) : random_(seed) {
  // one vocabulary for all seeds: texts share words, not chunks
  static const auto vocabulary = [] {
    std::mt19937_64 random(7);
    std::vector<std::string> words;
    for (std::size_t i = 0; i < kWords; ++i) {
      std::string word;
      for (auto length = 3 + random() % 9; length > 0; --length) word += static_cast<char>('a' + random() % 26);
      words.push_back(word + ' ');
    }
    return words;
  }();
  words_ = vocabulary;
}

void HalfCompressible::next(std::string& out, std::size_t size) {
  out.clear();
  out.reserve(size);
  while (out.size() < size) {
    const auto stretch = std::min<std::size_t>(size - out.size(), 256 + random_() % 3841);
    random_turn_ = !random_turn_;
    random_turn_ ? append_random(out, stretch) : append_words(out, stretch);
  }
}

void HalfCompressible::append_random(std::string& out, std::size_t size) {
  const auto at = out.size();
  out.resize(at + size);
  for (std::size_t done = 0; done < size; done += 8) {
    const auto value = random_();
    std::memcpy(out.data() + at + done, &value, std::min<std::size_t>(8, size - done));
  }
}

void HalfCompressible::append_words(std::string& out, std::size_t size) {
  const auto end = out.size() + size;
  while (out.size() < end) {
    // the product of three draws: few words are frequent, as in a language
    const auto value = random_();
    const auto index = ((value & 511U) * ((value >> 9U) & 511U) * ((value >> 18U) & 511U)) >> 18U;
    out += words_[index];
  }
  out.resize(end);
}

std::vector<Edit> edits_of_version(std::uint64_t version, std::uint64_t size) {
  constexpr std::uint64_t kPlaces = 20;
  std::mt19937_64 random(kVersionSeed + version);
  HalfCompressible bytes(kVersionSeed + version);
  std::vector<Edit> edits(kPlaces);
  for (auto& edit : edits) {
    const auto length = size / 100 / kPlaces;
    edit.offset = random() % (size - length);
    bytes.next(edit.bytes, length);
  }
  return edits;
}

std::string path_in_tree(std::uint64_t index) {
  return fmt::format("d{:02}/d{:02}/f{:02}", index / 10000, index / 100 % 100, index % 100);
}

std::string bytes_in_tree(std::uint64_t index) {
  constexpr std::size_t kContents = 4096;
  constexpr std::size_t kSize = 512;
  static const auto contents = [] {
    HalfCompressible stream(kTreeSeed);
    std::string all;
    stream.next(all, kContents * kSize);
    return all;
  }();
  return contents.substr(index % kContents * kSize, kSize);
}

std::uint64_t index_of_change(std::uint64_t number, std::uint64_t files) { return number * 7919 % files; }

}  // namespace pfs::bench
