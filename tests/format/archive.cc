#include "format/archive.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include <zstd.h>

#include <fmt/format.h>

#include "store/chunk/sha256.h"
#include "store/refs/records.h"
#include "support/must.h"

namespace pfs::test {

namespace {

using store::Kind;
using store::NodePtr;

constexpr std::size_t kLongXattr = 128;  // from there on its sum is enough

char letter(Kind kind) { return "?fdlpsbc"[static_cast<std::size_t>(kind)]; }

std::string time_of(Timestamp time) { return fmt::format("{}", time.nanoseconds); }
std::string id_or_dash(const std::optional<CommitId>& id) { return id ? id->hex() : "-"; }

std::string sum_of(store::LiveTrees& trees, const NodePtr& file, std::uint64_t size) {
  store::Sha256 sum;
  std::string piece(1 << 20, '\0');
  for (std::uint64_t at = 0; at < size;) {
    const auto got = must(trees.read(file, at, std::as_writable_bytes(std::span(piece))));
    if (got == 0) throw std::runtime_error(trees.path(file) + ": shorter than its size");
    sum.add(std::string_view(piece).substr(0, got));
    at += got;
  }
  return sum.finish().hex();
}

void add_entries(store::LiveTrees& trees, const NodePtr& directory, const std::string& path,
                 std::vector<std::string>& lines) {
  std::vector<store::ListedEntry> listed;
  must(trees.list(directory, {}, [&](const store::ListedEntry& entry) {
    listed.push_back(entry);
    return true;
  }));
  for (const auto& entry : listed) {
    const auto node = must(trees.lookup(directory, entry.name));
    const auto stat = must(trees.stat(node));
    const auto& about = stat.attributes;
    const std::string below = path + "/" + entry.name;
    // a directory's size is an estimate while it is open
    const auto size = about.kind == Kind::kDirectory ? 0 : stat.size;
    std::string line = fmt::format("  {} {} {:o} {} {} {} {} {}", printable(below), letter(about.kind), about.mode, about.uid,
                                   about.gid, time_of(about.mtime), time_of(about.ctime), size);
    if (about.kind == Kind::kFile) line += " " + sum_of(trees, node, stat.size);
    if (about.kind == Kind::kSymlink) line += " -> " + printable(must(trees.read_link(node)));
    if (about.rdev != 0) line += fmt::format(" rdev {}", about.rdev);
    if (stat.links > 1) line += fmt::format(" link {:x} of {}", stat.link_id, stat.links);
    for (const auto& [name, value] : must(trees.xattrs(node))) {
      line += value.size() <= kLongXattr ? fmt::format(" {}={}", name, printable(value))
                                         : fmt::format(" {}: {} bytes {}", name, value.size(), store::sha256(value).hex());
    }
    lines.push_back(std::move(line));
    if (about.kind == Kind::kDirectory) add_entries(trees, node, below, lines);
  }
}

/// A tree that has been written out, and the commit where it was.
struct Written {
  std::string commit;
  std::vector<std::string> lines;
};
using Known = std::map<Digest, Written>;  // by the tree's root

void add_commit(store::Store& store, const store::Commit& commit, Known& known, std::vector<std::string>& lines) {
  lines.push_back(fmt::format("commit {} of {}@{} parent {} generation {} skip {} {} started {} finished {} author '{}' "
                              "description '{}' root {} data {} files {} bytes {}",
                              commit.id.hex(), commit.repo.str(), commit.branch.str(), id_or_dash(commit.parent),
                              commit.generation, id_or_dash(commit.skip), commit.skip_generation, time_of(commit.started),
                              time_of(commit.finished), printable(commit.author), printable(commit.description),
                              commit.root.root.hex(), commit.root.data_digest.hex(), commit.root.totals.files,
                              commit.root.totals.bytes));
  for (const auto& cause : commit.provenance)
    lines.push_back(fmt::format("  made from {} {}", cause.branch.str(), cause.commit.hex()));
  if (commit.root.totals.links != 0)
    lines.push_back(fmt::format("  links {} side tree {}", commit.root.totals.links, commit.links.hex()));
  if (const auto found = known.find(commit.root.root); found != known.end()) {
    lines.push_back("  as in commit " + found->second.commit);
    return;
  }
  auto& trees = store.trees();
  Written& written = known[commit.root.root];
  written.commit = commit.id.hex();
  add_entries(trees, trees.root(must(trees.commit(commit))), "", written.lines);
  lines.insert(lines.end(), written.lines.begin(), written.lines.end());
}

/// What somebody has said of the branch; empty where nobody has said anything.
std::string settings_of(store::Store& store, const store::Branch& branch) {
  std::string line;
  if (branch.policy.when) line += fmt::format(" commit {}", name_of(*branch.policy.when));
  if (branch.policy.after) line += fmt::format(" after {} ms", branch.policy.after->count());
  if (branch.policy.max) line += fmt::format(" max {} ms", branch.policy.max->count());
  if (branch.owner) {
    auto& trees = store.trees();
    const auto root = must(trees.stat(trees.root(must(trees.branch(branch.ref))))).attributes;
    line += fmt::format(" owner {}:{} root {}:{}", branch.owner->uid, branch.owner->gid, root.uid, root.gid);
  }
  if (branch.trigger) line += fmt::format(" trigger '{}'", branch.trigger->str());
  for (const auto& upstream : branch.provenance) line += " made from " + upstream.str();
  return line;
}

void add_branch(store::Store& store, const store::Branch& branch, const Known& known, std::vector<std::string>& lines) {
  lines.push_back(fmt::format("branch {} head {} open {} by hand {} '{}' output of '{}' log {} created {}",
                              branch.ref.str(), id_or_dash(branch.head), branch.open.hex(),
                              branch.opened_by_hand, printable(branch.open_description), branch.output_of,
                              branch.log_length, time_of(branch.created)));
  const auto settings = settings_of(store, branch);
  if (!settings.empty()) lines.push_back("  settings" + settings);
  if (branch.open_tree) {
    const auto& [root, links] = *branch.open_tree;
    lines.push_back(fmt::format("  opened {} with root {} data {} files {} bytes {} links {} side tree {}",
                                time_of(branch.opened), root.root.hex(), root.data_digest.hex(), root.totals.files,
                                root.totals.bytes, root.totals.links, links.hex()));
  }
  for (const auto& entry : must(store.catalog().log(branch.ref, 1000))) {
    lines.push_back(fmt::format("  log {} {} -> {} {} {}", entry.number, id_or_dash(entry.old_head), entry.new_head.hex(),
                                time_of(entry.when), entry.why));
  }
  auto& trees = store.trees();
  std::vector<std::string> live;
  add_entries(trees, trees.root(must(trees.branch(branch.ref))), "", live);
  if (branch.head && live == known.at(must(store.catalog().commit(*branch.head)).root.root).lines)
    live = {"  as in HEAD " + branch.head->hex()};
  lines.insert(lines.end(), live.begin(), live.end());
}

void add_listeners(store::Store& store, std::vector<std::string>& lines) {
  constexpr std::string_view kCursors = "cursor/";
  std::optional<store::Seq> first;
  must(store.refs().scan(kCursors, "", [&](std::string_view key, const store::RefValue& row) {
    const auto at = must(store::decode_cursor(row.value));
    lines.push_back(fmt::format("cursor {} {}", key.substr(kCursors.size()), at.value()));
    first = std::min(first.value_or(at), at);
    return true;
  }));
  if (!first) return;
  const auto events = must(store.refs().events(*first, 100'000, std::chrono::milliseconds(0)));
  for (const auto& event : events) lines.push_back(line_of(event));
}

void add_transactions(store::Store& store, std::vector<std::string>& lines) {
  constexpr std::string_view kTransactions = "transaction/";
  must(store.refs().scan(kTransactions, "", [&](std::string_view key, const store::RefValue& row) {
    lines.push_back(fmt::format("transaction {} {} bytes {}", key.substr(kTransactions.size()), row.value.size(),
                                store::sha256(row.value).hex()));
    return true;
  }));
}

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

File checked(FILE* file, int (*close)(FILE*), const std::string& what) {
  if (file == nullptr) throw std::runtime_error("cannot open " + what);
  return {file, close};
}

std::string rest_of(const File& file) {
  std::string all;
  std::array<char, 1 << 16> piece{};
  for (std::size_t got = 0; (got = std::fread(piece.data(), 1, piece.size(), file.get())) > 0;) all.append(piece.data(), got);
  return all;
}

void close(File file, const std::string& what) {
  const auto closer = file.get_deleter();
  if (closer(file.release()) != 0) throw std::runtime_error(what + " has failed");
}

std::size_t checked_size(std::size_t size) {
  if (ZSTD_isError(size)) throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(size));
  return size;
}

}  // namespace

std::string noise(std::string_view seed, std::size_t size) {
  std::string out;
  for (std::uint64_t i = 0; out.size() < size; ++i) {
    const auto digest = store::sha256(std::string(seed) + std::to_string(i));
    out.append(digest.bytes());
  }
  out.resize(size);
  return out;
}

std::string text(std::string_view seed, std::size_t size) {
  std::string out;
  for (int line = 0; out.size() < size; ++line)
    out += fmt::format("{}: line {} of a text that can be compressed, {:x}\n", seed, line, line * 7919 % 1009);
  out.resize(size);
  return out;
}

std::string line_of(const store::RefEvent& event) {
  return fmt::format("event {} {} {} {}", event.seq.value(), event.kind, printable(event.key), printable(event.value));
}

std::vector<std::string> describe(store::Store& store) {
  std::vector<std::string> lines;
  auto repos = must(store.catalog().repos());
  std::sort(repos.begin(), repos.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const auto& repo : repos) {
    lines.push_back(fmt::format("repo {} created {} '{}'", repo.name.str(), time_of(repo.created), printable(repo.description)));
    Known known;
    auto commits = must(store.catalog().commits(repo.name, std::nullopt, 1000));
    std::reverse(commits.begin(), commits.end());
    for (const auto& commit : commits) add_commit(store, commit, known, lines);
    auto branches = must(store.catalog().branches(repo.name));
    std::sort(branches.begin(), branches.end(), [](const auto& a, const auto& b) { return a.ref < b.ref; });
    for (const auto& branch : branches) add_branch(store, branch, known, lines);
  }
  add_listeners(store, lines);
  add_transactions(store, lines);
  return lines;
}

std::vector<std::string> describe(trigger::Pipelines& pipelines) {
  std::vector<std::string> lines;
  for (const auto& pipeline : must(pipelines.list())) {
    lines.push_back(fmt::format("pipeline {} version {} input {} output {} created {} '{}' {}", pipeline.name.str(),
                                pipeline.version, pipeline.input, pipeline.output.str(), time_of(pipeline.created),
                                pipeline.description, pipeline.spec_json));
  }
  auto jobs = must(pipelines.jobs(std::nullopt, 1000));
  std::reverse(jobs.begin(), jobs.end());
  for (const auto& job : jobs) {
    lines.push_back(fmt::format("job {} of {} version {} {} '{}' started {} finished {} {} + {} / {} failed {} restarts {} "
                                "bytes {} {} input {} {} output {}",
                                job.id.hex(), job.pipeline.str(), job.pipeline_version, name_of(job.state), job.reason,
                                time_of(job.started), job.finished ? time_of(*job.finished) : "-", job.processed, job.skipped,
                                job.total, job.failed, job.restarts, job.stats.downloaded_bytes, job.stats.uploaded_bytes,
                                job.inputs.front().branch.str(), id_or_dash(job.inputs.front().commit), id_or_dash(job.output_commit)));
  }
  return lines;
}

void pack_archive(const std::string& directory, const std::string& file) {
  // names in order and numbers for owners, so that the same store gives the same archive
  const std::string tar = "tar -C '" + directory + "' --sort=name --owner=0 --group=0 --numeric-owner --sparse -cf - store";
  File pipe = checked(::popen(tar.c_str(), "r"), ::pclose, "tar");
  const std::string raw = rest_of(pipe);
  close(std::move(pipe), tar);
  // what a pack holds cannot be compressed, but parts of it can lie in it again far behind
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  checked_size(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, 19));
  checked_size(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_enableLongDistanceMatching, 1));
  checked_size(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 27));
  checked_size(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1));
  std::string packed(ZSTD_compressBound(raw.size()), '\0');
  packed.resize(checked_size(ZSTD_compress2(context.get(), packed.data(), packed.size(), raw.data(), raw.size())));
  File out = checked(std::fopen(file.c_str(), "wb"), std::fclose, file);
  if (std::fwrite(packed.data(), 1, packed.size(), out.get()) != packed.size()) throw std::runtime_error("cannot write " + file);
  close(std::move(out), file);
}

void unpack_archive(const std::string& file, const std::string& directory) {
  const std::string packed = rest_of(checked(std::fopen(file.c_str(), "rb"), std::fclose, file));
  std::string raw(checked_size(ZSTD_getFrameContentSize(packed.data(), packed.size())), '\0');
  checked_size(ZSTD_decompress(raw.data(), raw.size(), packed.data(), packed.size()));
  const std::string tar = "tar -C '" + directory + "' --no-same-owner -xf -";
  File pipe = checked(::popen(tar.c_str(), "w"), ::pclose, "tar");
  if (std::fwrite(raw.data(), 1, raw.size(), pipe.get()) != raw.size()) throw std::runtime_error("cannot write to tar");
  close(std::move(pipe), tar);
}

}  // namespace pfs::test
