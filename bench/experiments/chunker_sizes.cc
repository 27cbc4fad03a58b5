// Which chunk sizes: cuts one file of 200 MiB at three settings, edits it, and counts what each edit stores anew, what
// a random read of 4 KiB decodes, and what the index costs. Usage: chunker_sizes

#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/chunk/chunker.h"
#include "store/chunk/sha256.h"

namespace pfs::store {
namespace {

using Clock = std::chrono::steady_clock;
using Random = std::mt19937_64;

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kFileSize = 200 * kKiB * kKiB;
constexpr double kIndexBytesPerChunk = 62;  // measured: a row of the index family with its share of filters

struct Setting {
  std::size_t min;
  std::size_t target;
  std::size_t max;
  unsigned target_bits;  ///< log2 of target
};

constexpr Setting kSettings[] = {{8 * kKiB, 32 * kKiB, 128 * kKiB, 15},
                                 {16 * kKiB, 64 * kKiB, 256 * kKiB, 16},
                                 {32 * kKiB, 128 * kKiB, 512 * kKiB, 17}};

/// The product's chunker with its sizes as variables.
class GearCutter {
 public:
  explicit GearCutter(const Setting& setting)
      : setting_(setting), below_(top_bits(setting.target_bits + 2)), above_(top_bits(setting.target_bits - 2)) {
    for (unsigned value = 0; value < 256; ++value) {
      const Digest digest = sha256_tagged("pfs.gear.1", std::string(1, static_cast<char>(value)));
      for (unsigned i = 0; i < 8; ++i) gear_[value] |= std::uint64_t{digest.array()[i]} << (8U * i);
    }
  }

  std::size_t cut(std::string_view bytes) const {
    if (bytes.size() <= setting_.min) return bytes.size();
    const std::size_t end = std::min(bytes.size(), setting_.max);
    std::uint64_t hash = 0;
    for (std::size_t at = setting_.min; at < end; ++at) {
      hash = (hash << 1U) + gear_[static_cast<unsigned char>(bytes[at])];
      if ((hash & (at < setting_.target ? below_ : above_)) == 0) return at + 1;
    }
    return end;
  }

 private:
  static std::uint64_t top_bits(unsigned count) { return ~std::uint64_t{0} << (64U - count); }

  Setting setting_;
  std::uint64_t below_;
  std::uint64_t above_;
  std::uint64_t gear_[256] = {};
};

struct Chunk {
  std::size_t offset;
  std::size_t size;
  Digest digest;
};

std::vector<Chunk> chunks_of(const GearCutter& cutter, std::string_view file) {
  std::vector<Chunk> chunks;
  for (std::size_t at = 0; at < file.size();) {
    const auto size = cutter.cut(file.substr(at));
    chunks.push_back({at, size, sha256(file.substr(at, size))});
    at += size;
  }
  return chunks;
}

/// Stretches of 4 to 64 KiB, by turns random and of words from a small vocabulary: about half of it compresses.
std::string half_compressible(Random& random) {
  std::vector<std::string> words(2000);
  for (auto& word : words) {
    word.resize(3 + random() % 10);
    for (auto& c : word) c = static_cast<char>('a' + random() % 26);
    word += ' ';
  }
  std::string file;
  file.reserve(kFileSize + 80 * kKiB);
  for (bool text = false; file.size() < kFileSize; text = !text) {
    const std::size_t end = file.size() + 4 * kKiB + random() % (60 * kKiB);
    while (file.size() < end) {
      if (text) {
        file += words[random() % words.size()];
      } else {
        const std::uint64_t bytes = random();
        file.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
      }
    }
  }
  file.resize(kFileSize);
  return file;
}

std::size_t compressed_size(std::string_view bytes) {
  static ZSTD_CCtx* const context = ZSTD_createCCtx();
  static std::string out;
  out.resize(ZSTD_compressBound(bytes.size()));
  return std::min(bytes.size(), ZSTD_compressCCtx(context, out.data(), out.size(), bytes.data(), bytes.size(), 1));
}

struct Stored {
  std::size_t chunks = 0;
  std::size_t raw = 0;
  std::size_t compressed = 0;
};

/// What `file` adds to a store that holds `known`.
Stored stored_anew(std::string_view file, const std::vector<Chunk>& chunks,
                   std::unordered_map<Digest, std::size_t>& known) {
  Stored stored;
  for (const auto& chunk : chunks) {
    if (!known.emplace(chunk.digest, chunk.size).second) continue;
    ++stored.chunks;
    stored.raw += chunk.size;
    stored.compressed += compressed_size(file.substr(chunk.offset, chunk.size));
  }
  return stored;
}

std::string edited_in_place(std::string file, Random& random) {
  for (int edit = 0; edit < 20; ++edit) {
    const std::size_t at = random() % (file.size() - 4 * kKiB);
    for (std::size_t i = 0; i < 4 * kKiB; ++i) file[at + i] = static_cast<char>(random());
  }
  return file;
}

std::string with_insertions(std::string file, Random& random) {
  for (int edit = 0; edit < 5; ++edit) {
    std::string inserted(100, '\0');
    for (auto& byte : inserted) byte = static_cast<char>(random());
    file.insert(random() % file.size(), inserted);
  }
  return file;
}

struct RandomRead {
  double amplification;  ///< bytes decoded for each byte read
  double microseconds;   ///< decoding alone, from memory
};

RandomRead random_reads(std::string_view file, const std::vector<Chunk>& chunks, Random& random) {
  constexpr std::size_t kReads = 2000;
  std::vector<std::string> frames(chunks.size());
  std::string out(kKiB * kKiB, '\0');
  std::size_t decoded = 0;
  Clock::duration spent{};
  for (std::size_t read = 0; read < kReads; ++read) {
    const std::size_t begin = random() % (file.size() / (4 * kKiB)) * 4 * kKiB;
    auto chunk = std::upper_bound(chunks.begin(), chunks.end(), begin,
                                  [](std::size_t at, const Chunk& c) { return at < c.offset; }) -
                 chunks.begin() - 1;
    for (auto i = static_cast<std::size_t>(chunk); i < chunks.size() && chunks[i].offset < begin + 4 * kKiB; ++i) {
      auto& frame = frames[i];
      if (frame.empty()) {
        frame.resize(ZSTD_compressBound(chunks[i].size));
        frame.resize(ZSTD_compress(frame.data(), frame.size(), file.data() + chunks[i].offset, chunks[i].size, 1));
      }
      const auto start = Clock::now();
      decoded += ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
      spent += Clock::now() - start;
    }
  }
  return {static_cast<double>(decoded) / (kReads * 4 * kKiB),
          std::chrono::duration<double, std::micro>(spent).count() / kReads};
}

double mib(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void run(const Setting& setting, const std::string& file, const std::string& edited, const std::string& inserted) {
  const GearCutter cutter(setting);
  const auto chunks = chunks_of(cutter, file);
  std::unordered_map<Digest, std::size_t> known;
  const auto first = stored_anew(file, chunks, known);
  auto known_too = known;
  const auto edits = stored_anew(edited, chunks_of(cutter, edited), known);
  const auto insertions = stored_anew(inserted, chunks_of(cutter, inserted), known_too);
  Random random(7);
  const auto reads = random_reads(file, chunks, random);
  const double index = kIndexBytesPerChunk * static_cast<double>(chunks.size());
  std::printf("| %3zu / %3zu / %3zu | %5.1f | %.3f | %3zu, %5.2f (%5.2f) | %3zu, %5.2f (%5.2f) | %5.1f | %5.1f | %4.0f | %5.2f |\n",
              setting.min / kKiB, setting.target / kKiB, setting.max / kKiB,
              static_cast<double>(file.size()) / static_cast<double>(chunks.size()) / kKiB,
              static_cast<double>(first.compressed) / static_cast<double>(first.raw), edits.chunks, mib(edits.raw),
              mib(edits.compressed), insertions.chunks, mib(insertions.raw), mib(insertions.compressed),
              reads.amplification, reads.microseconds, index / mib(kFileSize),
              index * (double{1 << 20} / mib(kFileSize)) / (1 << 30));
}

void main_of_experiment() {
  Random random(1);
  const auto file = half_compressible(random);
  const auto edited = edited_in_place(file, random);
  const auto inserted = with_insertions(file, random);
  std::printf("| min / target / max KiB | average KiB | zstd-1 | 20 edits of 4 KiB: chunks, MiB raw (stored) | "
              "5 insertions of 100 B | decoded per byte of a 4 KiB read | us | index B per MiB | GiB per TiB |\n"
              "|---|---|---|---|---|---|---|---|---|\n");
  for (const auto& setting : kSettings) run(setting, file, edited, inserted);

  // the product's own loop, for speed and as a check that the middle row is what it does
  std::size_t count = 0;
  const auto start = Clock::now();
  for (std::string_view rest = file; !rest.empty(); ++count) rest.remove_prefix(Chunker::cut(rest));
  const std::chrono::duration<double> spent = Clock::now() - start;
  std::printf("\nChunker::cut: %zu chunks, %.0f MiB/s\n", count, mib(kFileSize) / spent.count());
}

}  // namespace
}  // namespace pfs::store

int main() { pfs::store::main_of_experiment(); }
