// Rows about bytes: putting, editing and reading files.
#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <random>
#include <semaphore>
#include <span>
#include <thread>

#include <boost/filesystem.hpp>
#include <fmt/format.h>

#include "base/file.h"
#include "half_compressible.h"
#include "rows.h"
#include "store/pack/work_pool.h"

namespace pfs::bench {

namespace {

using store::NodePtr;

// Puts files on as many threads as there are cores, as a program would that has many of them. Directories are made by
// the caller's thread, before what is in them.
class Putters {
 public:
  explicit Putters(World& world) : world_(world) {}

  void put_directory(const NodePtr& directory, const boost::filesystem::path& source) {
    for (const auto& entry : boost::filesystem::directory_iterator(source)) {
      const auto name = entry.path().filename().string();
      if (entry.status().type() == boost::filesystem::directory_file) {
        store::MakeRequest request;
        request.kind = store::Kind::kDirectory;
        request.mode = 0755;
        put_directory(must(world_.trees().make(directory, name, request)), entry.path());
      } else {
        room_.acquire();
        pool_.submit(store::WorkPool::Turn::kSoon, [this, directory, name, path = entry.path().string()] {
          bytes_ += world_.put_file(directory, name, path);
          ++files_;
          room_.release();
        });
      }
    }
  }
  // Returns when all files have been put.
  void wait() {
    for (std::ptrdiff_t i = 0; i < kWaiting; ++i) room_.acquire();
  }

  std::uint64_t files() const { return files_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  static constexpr std::ptrdiff_t kWaiting = 64;

  World& world_;
  std::atomic<std::uint64_t> files_ = 0;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::counting_semaphore<kWaiting> room_{kWaiting};
  store::WorkPool pool_;  // the last: it ends before what its tasks use
};

// Bytes of the packs, as files: what content-addressed objects take beyond the database.
double packed_bytes(const std::string& store) {
  double bytes = 0;
  for (const auto* part : {"/packs", "/open"}) {
    for (const auto& entry : boost::filesystem::recursive_directory_iterator(store + part)) {
      if (entry.status().type() == boost::filesystem::regular_file) {
        bytes += static_cast<double>(boost::filesystem::file_size(entry.path()));
      }
    }
  }
  return bytes;
}

// The files of a directory, from its first lookup to the durable commit.
void ingest(const Arguments& arguments) {
  World world(arguments.text("store"));
  const auto as = arguments.text_or("as", "");
  const double before = packed_bytes(arguments.text("store"));
  Putters putters(world);
  double staged = 0;
  const double all = seconds([&] {
    staged = seconds([&] {
      putters.put_directory(as.empty() ? world.root() : world.directory(as), arguments.text("source"));
      putters.wait();
    });
    world.finish();
  });
  report("seconds", all);
  report("staging_seconds", staged);
  report("files", static_cast<double>(putters.files()));
  report("bytes", static_cast<double>(putters.bytes()));
  report("packed_bytes", packed_bytes(arguments.text("store")) - before);
}

// Versions of one file: each 1 % changed in place in 20 places, from the first write to the durable commit.
void edit(const Arguments& arguments) {
  World world(arguments.text("store"));
  const auto file = world.file(arguments.text("file"));
  const auto size = must(world.trees().stat(file)).size;
  std::vector<double> times;
  for (std::uint64_t version = 1; version <= arguments.number("versions"); ++version) {
    const auto edits = edits_of_version(version, size);
    times.push_back(seconds([&] {
      world.trees().opened_for_write(file);
      for (const auto& one : edits) must(world.trees().write(file, one.offset, as_bytes(one.bytes)));
      world.trees().released_for_write(file);
      world.finish();
    }));
  }
  report_spread("seconds", times);
}

// A file of an older commit into a file of this machine.
void extract(const Arguments& arguments) {
  World world(arguments.text("store"));
  const auto path = must(RepoPath::parse(arguments.text("file")));
  const double all = seconds([&] {
    const auto tree = must(world.trees().commit(world.commit_back(arguments.number("back"))));
    const auto file = must(world.trees().walk(world.trees().root(tree), path));
    const auto to = must(File::open(arguments.text("to"), O_WRONLY | O_CREAT | O_TRUNC, 0644));
    std::string piece(std::size_t{1} << 20U, '\0');
    for (std::uint64_t at = 0;;) {
      const auto got = must(world.trees().read(file, at, std::as_writable_bytes(std::span(piece))));
      must(to.write_at(at, std::string_view(piece).substr(0, got), {}));
      at += got;
      if (got < piece.size()) break;
    }
  });
  report("seconds", all);
}

std::vector<NodePtr> files_of(World& world, const NodePtr& directory) {
  std::vector<NodePtr> files;
  must(world.trees().list(directory, "", [&](const store::ListedEntry& entry) {
    if (entry.stat.attributes.kind == store::Kind::kFile) files.push_back(must(world.trees().lookup(directory, entry.name)));
    return true;
  }));
  return files;
}

// The files at the top of HEAD's commit, from front to back, by so many readers at once.
void read(const Arguments& arguments) {
  World world(arguments.text("store"));
  std::atomic<std::uint64_t> bytes{0};
  const double all = seconds([&] {
    const auto tree = must(world.trees().commit(world.commit_back(0)));
    const auto files = files_of(world, world.trees().root(tree));
    std::atomic<std::size_t> next{0};
    std::vector<std::jthread> readers;
    for (std::uint64_t i = 0; i < arguments.number("readers"); ++i) {
      readers.emplace_back([&] {
        std::string piece(std::size_t{1} << 20U, '\0');
        for (auto file = next++; file < files.size(); file = next++) {
          for (std::uint64_t at = 0;;) {
            const auto got = must(world.trees().read(files[file], at, std::as_writable_bytes(std::span(piece))));
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

// Aligned reads of 4 KiB anywhere in the files at the top of HEAD's commit, by one reader.
void read_random(const Arguments& arguments) {
  World world(arguments.text("store"));
  const auto tree = must(world.trees().commit(world.commit_back(0)));
  const auto files = files_of(world, world.trees().root(tree));
  const auto blocks = must(world.trees().stat(files.front())).size / 4096;
  std::mt19937_64 random(11);
  std::string block(4096, '\0');
  std::vector<double> times;
  const double all = seconds([&] {
    for (std::uint64_t i = 0; i < arguments.number("reads"); ++i) {
      const auto& file = files[random() % files.size()];
      const auto offset = random() % blocks * 4096;
      times.push_back(seconds([&] { must(world.trees().read(file, offset, std::as_writable_bytes(std::span(block)))); }));
    }
  });
  report("reads_per_second", static_cast<double>(times.size()) / all);
  report_spread("read_seconds", times);
}

void repack(const Arguments& arguments) {
  World world(arguments.text("store"));
  must(world.store().pack());
  report("seconds", seconds([&] { must(world.store().repack({})); }));
}

}  // namespace

void add_content_rows(Rows& rows) {
  rows["ingest"] = ingest;
  rows["edit"] = edit;
  rows["extract"] = extract;
  rows["read"] = read;
  rows["read-random"] = read_random;
  rows["repack"] = repack;
}

}  // namespace pfs::bench
