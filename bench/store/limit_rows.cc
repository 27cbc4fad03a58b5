// What the cores could do if nothing else were to be done: the rows that ours are measured against.
#include <fcntl.h>
#include <zstd.h>

#include <atomic>
#include <span>
#include <thread>

#include <boost/filesystem.hpp>

#include "base/file.h"
#include "rows.h"
#include "store/chunk/chunker.h"
#include "store/chunk/sha256.h"

namespace pfs::bench {

namespace {

using store::Chunker;

constexpr int kLevel = 1;
constexpr std::size_t kPiece = std::size_t{16} << 20U;

struct Packed {
  std::string bytes;
  std::size_t raw = 0;
};

// Seconds for `work(piece number)` over all pieces, on as many threads as there are cores.
template <class Work>
double on_all_cores(std::size_t pieces, const Work& work) {
  std::atomic<std::size_t> next{0};
  return seconds([&] {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
      threads.emplace_back([&] {
        for (auto piece = next++; piece < pieces; piece = next++) work(piece);
      });
    }
  });
}

template <class Visit>
void cut(std::string_view bytes, const Visit& visit) {
  while (!bytes.empty()) {
    const auto length = Chunker::cut(bytes);
    visit(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
}

struct CompressorFree {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct DecompressorFree {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Cutting, hashing, compressing and decompressing a directory's files, out of memory, by our own chunker in plain loops.
void limits(const Arguments& arguments) {
  std::vector<std::string> pieces;
  for (const auto& entry : boost::filesystem::directory_iterator(arguments.text("source"))) {
    const auto file = must(File::open(entry.path().string(), O_RDONLY));
    const auto size = must(file.size());
    for (std::uint64_t at = 0; at < size; at += kPiece) {
      pieces.emplace_back(std::min<std::uint64_t>(kPiece, size - at), '\0');
      must(file.read_exactly(at, std::as_writable_bytes(std::span(pieces.back()))));
    }
  }
  std::vector<std::vector<Packed>> packed(pieces.size());

  const auto hashed = on_all_cores(pieces.size(), [&](std::size_t piece) {
    cut(pieces[piece], [](std::string_view chunk) { (void)store::sha256(chunk); });
  });
  const auto ingested = on_all_cores(pieces.size(), [&](std::size_t piece) {
    const std::unique_ptr<ZSTD_CCtx, CompressorFree> context(ZSTD_createCCtx());
    std::string out(ZSTD_compressBound(Chunker::kMax), '\0');
    cut(pieces[piece], [&](std::string_view chunk) {
      (void)store::sha256(chunk);
      ZSTD_compressCCtx(context.get(), out.data(), out.size(), chunk.data(), chunk.size(), kLevel);
    });
  });
  on_all_cores(pieces.size(), [&](std::size_t piece) {  // not timed: what the decoders get
    std::string out(ZSTD_compressBound(Chunker::kMax), '\0');
    cut(pieces[piece], [&](std::string_view chunk) {
      const auto size = ZSTD_compress(out.data(), out.size(), chunk.data(), chunk.size(), kLevel);
      packed[piece].push_back({out.substr(0, size), chunk.size()});
    });
  });
  std::atomic<bool> sound{true};
  const auto decoded = on_all_cores(pieces.size(), [&](std::size_t piece) {
    const std::unique_ptr<ZSTD_DCtx, DecompressorFree> context(ZSTD_createDCtx());
    std::string out(Chunker::kMax, '\0');
    for (const auto& chunk : packed[piece]) {
      if (ZSTD_decompressDCtx(context.get(), out.data(), out.size(), chunk.bytes.data(), chunk.bytes.size()) != chunk.raw) sound = false;
    }
  });
  if (!sound) must(Result<void>(Error{Code::kCorrupt, "zstd: a chunk did not come back"}));

  double raw = 0;
  double stored = 0;
  for (const auto& piece : packed) {
    for (const auto& chunk : piece) {
      raw += static_cast<double>(chunk.raw);
      stored += static_cast<double>(chunk.bytes.size());
    }
  }
  report("cores", std::max(1U, std::thread::hardware_concurrency()));
  report("bytes", raw);
  report("zstd_ratio", raw / stored);
  report("hash_seconds", hashed);
  report("ingest_seconds", ingested);
  report("decode_seconds", decoded);
}

// The bytes of a store's packs from the disk, by so many readers at once: what reading alone takes.
void read_packs(const Arguments& arguments) {
  std::vector<std::string> packs;
  for (const auto* part : {"/packs", "/open"}) {
    for (const auto& entry : boost::filesystem::recursive_directory_iterator(arguments.text("store") + part)) {
      if (entry.status().type() == boost::filesystem::regular_file) packs.push_back(entry.path().string());
    }
  }
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t> bytes{0};
  const auto all = seconds([&] {
    std::vector<std::jthread> readers;
    for (std::uint64_t i = 0; i < arguments.number("readers"); ++i) {
      readers.emplace_back([&] {
        std::string piece(std::size_t{1} << 20U, '\0');
        for (auto pack = next++; pack < packs.size(); pack = next++) {
          const auto file = must(File::open(packs[pack], O_RDONLY));
          for (std::uint64_t at = 0;;) {
            const auto got = must(file.read_at(at, std::as_writable_bytes(std::span(piece))));
            bytes += got;
            at += got;
            if (got < piece.size()) break;
          }
        }
      });
    }
  });
  report("seconds", all);
  report("bytes", static_cast<double>(bytes));
}

}  // namespace

void add_limit_rows(Rows& rows) {
  rows["limits"] = limits;
  rows["read-packs"] = read_packs;
}

}  // namespace pfs::bench
