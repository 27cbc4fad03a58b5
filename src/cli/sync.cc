#include "cli/sync.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/file_ref.h"

namespace pfs::cli {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;

struct Arguments {
  std::string from;
  std::string to;
  SyncOptions options;
  bool progress = true;
};

/// What has an @ in its first part is in a repo, unless it begins with a dot; the rest is local.
/// Errors: kInvalid, kNameTooLong (it is written as what is in a repo, and badly).
Result<std::optional<FileRef>> branch_side(const std::string& text) {
  const auto at = text.find('@');
  if (at == text.npos || text.starts_with('.') || text.find('/') < at) return std::nullopt;
  auto parsed = FileRef::parse(text);
  if (parsed) return std::optional(*std::move(parsed));
  return Error{parsed.error().code,
               fmt::format("{} (a local name with an @ is written ./NAME)", parsed.error().message)};
}

void tell(const SyncCounts& counts, bool dry_run) {
  fmt::print("{}{} put, {} changed in mode or time, {} deleted", dry_run ? "would be: " : "",
             counts.put, counts.changed, counts.removed);
  if (!counts.commit.empty()) fmt::print("; commit {}", counts.commit);
  fmt::print("\n");
}

Result<void> check_sides(const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto from, branch_side(arguments.from));
  PFS_TRY_ASSIGN(const auto to, branch_side(arguments.to));
  if (from.has_value() != to.has_value()) return {};
  return Error{Code::kInvalid,
               fmt::format("'{}' and '{}' are both {}; one side is a local directory, the other "
                           "repo@branch:/path (a local name with an @ is written ./NAME)",
                           printable(arguments.from), printable(arguments.to),
                           from ? "in repos" : "local")};
}

Result<void> sync(Session& session, const Arguments& arguments) {
  PFS_TRY_ASSIGN(const auto from, branch_side(arguments.from));
  PFS_TRY_ASSIGN(const auto to, branch_side(arguments.to));
  if (to) PFS_TRY(to->to_change());
  if (to && !to->commit.branch)
    return Error{Code::kInvalid, fmt::format("{}: sync goes to a branch; name that", to->commit.str())};
  if (to) PFS_TRY(session.refuse_in_transaction("sync"));
  PFS_TRY_ASSIGN(const auto* connection, session.connection());
  Progress progress("sync", arguments.progress);
  auto counts =
      to ? sync_up(*connection, arguments.from, to->commit, to->path, arguments.options, progress)
         : sync_down(*connection, from->commit, from->path, arguments.to, arguments.options,
                     progress);
  if (!counts) return std::move(counts).error();
  tell(*counts, arguments.options.dry_run);
  return {};
}

}  // namespace

std::vector<std::string> parts_below(const RepoPath& top, const RepoPath& path) {
  const auto depth = static_cast<std::ptrdiff_t>(top.parts().size());
  return {path.parts().begin() + depth, path.parts().end()};
}

Result<std::string> file_digest(const std::string& path) {
  PFS_TRY_ASSIGN(const auto file, File::open(path, O_RDONLY));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
    return Error{Code::kInternal, "SHA-256 did not start"};
  std::string buffer(kReadBytes, '\0');
  while (true) {
    const auto got = read(file.fd(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(errno, "read " + path);
    if (got == 0) break;
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(got));
  }
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  digest.resize(size);
  return digest;
}

void add_sync_command(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& syncs = grammar.command(
      "sync", "Make a branch what a local directory is, or the other way; only changes are moved",
      [&session, arguments] { return sync(session, *arguments); },
      [arguments] { return check_sides(*arguments); });
  syncs.add_option("from", arguments->from, "A local directory, or repo@branch:/path")->required();
  syncs.add_option("to", arguments->to, "The other one of the two")->required();
  syncs.add_flag("-n,--dry-run", arguments->options.dry_run, "Print what would change");
  syncs.add_flag("--checksum", arguments->options.checksum,
                 "Compare files by their bytes, not by size and time");
  syncs.add_flag("--progress,!--no-progress", arguments->progress,
                 "Show on a terminal how far it is (the default)");
}

}  // namespace pfs::cli
