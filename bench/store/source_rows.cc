// Rows that make what the others, and the peers, work on.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "half_compressible.h"
#include "rows.h"

namespace pfs::bench {

namespace {

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) must(Result<void>(error_from_errno(errno, "make " + path)));
}

void write_file(const std::string& path, std::string_view bytes) {
  const auto file = must(File::open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  must(file.write_at(0, bytes, {}));
}

// `files` files of `bytes` bytes in all.
void make_big(const Arguments& arguments) {
  const auto to = arguments.text("to");
  const auto files = arguments.number("files");
  const auto bytes = arguments.number("bytes") / files;
  make_directory(to);
  std::string piece;
  for (std::uint64_t i = 0; i < files; ++i) {
    HalfCompressible stream(arguments.number("seed") + i);
    const auto file = must(File::open(fmt::format("{}/big{}", to, i), O_WRONLY | O_CREAT | O_TRUNC, 0644));
    for (std::uint64_t at = 0; at < bytes; at += piece.size()) {
      stream.next(piece, std::min<std::uint64_t>(bytes - at, std::uint64_t{1} << 20U));
      must(file.write_at(at, piece, {}));
    }
  }
}

void make_files(const std::string& to, std::uint64_t files, const auto& bytes_of) {
  make_directory(to);
  for (std::uint64_t i = 0; i < files; ++i) {
    const auto path = fmt::format("{}/{}", to, path_in_tree(i));
    if (i % 10000 == 0) make_directory(path.substr(0, path.size() - 8));
    if (i % 100 == 0) make_directory(path.substr(0, path.size() - 4));
    write_file(path, bytes_of(i));
  }
}

// Files of 4 KiB, all different.
void make_small(const Arguments& arguments) {
  HalfCompressible stream(arguments.number("seed"));
  std::string bytes;
  make_files(arguments.text("to"), arguments.number("files"), [&](std::uint64_t) -> const std::string& {
    stream.next(bytes, 4096);
    return bytes;
  });
}

// What `plant` puts into a store.
void make_tree(const Arguments& arguments) { make_files(arguments.text("to"), arguments.number("files"), bytes_in_tree); }

// The edits of a version, for the peers: offset and length as 8 bytes each (of this machine), then the bytes.
void make_edits(const Arguments& arguments) {
  std::string out;
  for (const auto& edit : edits_of_version(arguments.number("version"), arguments.number("size"))) {
    const std::uint64_t head[2] = {edit.offset, edit.bytes.size()};
    out.append(reinterpret_cast<const char*>(head), sizeof head);
    out += edit.bytes;
  }
  write_file(arguments.text("to"), out);
}

}  // namespace

void add_source_rows(Rows& rows) {
  rows["make-big"] = make_big;
  rows["make-small"] = make_small;
  rows["make-tree"] = make_tree;
  rows["make-edits"] = make_edits;
}

}  // namespace pfs::bench
