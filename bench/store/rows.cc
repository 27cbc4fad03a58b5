#include "rows.h"

#include <fcntl.h>

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "base/file.h"

namespace pfs::bench {

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;

}  // namespace

Arguments::Arguments(int argc, char** argv, int first) {
  for (int i = first; i < argc; ++i) {
    const std::string word = argv[i];
    const auto equals = word.find('=');
    if (equals == std::string::npos) must(Result<void>(Error{Code::kInvalid, word + ": not name=value"}));
    values_[word.substr(0, equals)] = word.substr(equals + 1);
  }
}

std::string Arguments::text(const std::string& name) const {
  const auto it = values_.find(name);
  if (it == values_.end()) must(Result<void>(Error{Code::kInvalid, name + "=: missing"}));
  return it->second;
}

std::uint64_t Arguments::number(const std::string& name) const { return std::stoull(text(name)); }

std::string Arguments::text_or(const std::string& name, const std::string& otherwise) const {
  const auto it = values_.find(name);
  return it == values_.end() ? otherwise : it->second;
}

void report(const char* name, double value) { fmt::print("{}={:.9g}\n", name, value); }

void report_spread(const std::string& name, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  report((name + "_p50").c_str(), values[values.size() / 2]);
  report((name + "_p99").c_str(), values[values.size() * 99 / 100]);
  report((name + "_max").c_str(), values.back());
}

World::World(const std::string& path) : branch_(must(BranchRef::parse("data@master"))) {
  store::StoreOptions options;
  options.path = path;
  options.clock = &clock_;
  options.automatic_commits = false;
  store_ = must(store::Store::open(options));
  must(store_->resume());
  if (!store_->catalog().branch(branch_)) must(store_->catalog().create_branch(branch_, std::nullopt, true));
  tree_ = must(trees().branch(branch_));
}

store::NodePtr World::directory(const std::string& path) {
  auto node = root();
  const auto parsed = must(RepoPath::parse(path));
  for (const auto& part : parsed.parts()) {
    auto found = trees().lookup(node, part);
    if (found) {
      node = *found;
      continue;
    }
    store::MakeRequest request;
    request.kind = store::Kind::kDirectory;
    request.mode = 0755;
    node = must(trees().make(node, part, request));
  }
  return node;
}

store::NodePtr World::file(const std::string& path) { return must(trees().walk(root(), must(RepoPath::parse(path)))); }

void World::put(const store::NodePtr& directory, const std::string& name, std::string_view bytes) {
  store::MakeRequest request;
  request.exclusive = false;
  const auto file = must(trees().make(directory, name, request));
  trees().opened_for_write(file);
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) must(trees().write(file, at, as_bytes(bytes.substr(at, kPiece))));
  trees().released_for_write(file);
}

std::uint64_t World::put_file(const store::NodePtr& directory, const std::string& name, const std::string& source) {
  thread_local std::string piece(kPiece, '\0');
  const auto from = must(File::open(source, O_RDONLY));
  store::MakeRequest request;
  request.exclusive = false;
  const auto file = must(trees().make(directory, name, request));
  trees().opened_for_write(file);
  std::uint64_t size = 0;
  while (true) {
    const auto got = must(from.read_at(size, std::as_writable_bytes(std::span(piece))));
    if (got > 0) must(trees().write(file, size, as_bytes(std::string_view(piece).substr(0, got))));
    size += got;
    if (got < piece.size()) break;
  }
  trees().released_for_write(file);
  return size;
}

void World::finish() { must(store_->catalog().finish(branch_, {})); }

store::Commit World::commit_back(std::uint64_t steps) {
  const auto text = steps == 0 ? branch_.str() : fmt::format("{}^{}", branch_.str(), steps);
  return must(store_->catalog().resolve(must(CommitRef::parse(text))));
}

}  // namespace pfs::bench
