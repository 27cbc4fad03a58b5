#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "api/client/files.h"
#include "api/client/transactions.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/file_ref.h"
#include "cli/local_sender.h"
#include "cli/local_text.h"
#include "cli/local_walk.h"
#include "cli/progress.h"
#include "cli/url_source.h"

namespace pfs::cli {
namespace {

/// What a source is split into, as an argument.
struct SplitArgument {
  std::optional<RecordFormat> format;  ///< none: it is not split

  /// Errors: kInvalid.
  static Result<SplitArgument> parse(std::string_view word) {
    const auto format = record_format(word);
    if (format || word.empty()) return SplitArgument{format};
    return Error{Code::kInvalid,
                 fmt::format("'{}' is no format; say line, csv or json", printable(word))};
  }
};

struct Arguments {
  FileRef target;
  std::vector<std::string> sources;
  std::string source_list;
  bool recursive = false;
  bool append = false;
  bool overwrite = false;
  SplitArgument split;
  SplitOptions split_options;
  bool progress = true;
  bool in_commit = false;
  bool compress = false;
  std::uint64_t parallelism = 0;
};

Result<std::string> text_of(const std::string& list) {
  if (!is_url(list)) return local_text(list);
  std::string text;
  PFS_TRY(read_url(list, [&text](std::string_view bytes) {
    text += bytes;
    return Result<void>();
  }));
  return text;
}

/// Without those of a list.
std::vector<std::string> named_sources(const Arguments& arguments) {
  if (arguments.sources.empty() && arguments.source_list.empty()) return {"-"};
  return arguments.sources;
}

Result<void> check_sources(const Arguments& arguments, const std::vector<std::string>& sources) {
  const bool stdin_too = std::find(sources.begin(), sources.end(), "-") != sources.end();
  if (arguments.recursive && stdin_too)
    return Error{Code::kInvalid, "-r: stdin is no directory; leave out -r, or name one: -r -f DIR"};
  const bool numbered_on = arguments.split.format && arguments.append;
  if (numbered_on && (sources.size() > 1 || !arguments.target.has_path)) {
    return Error{Code::kInvalid,
                 "--split with --append: takes one source, and a path to put it at, "
                 "repo@branch:/path"};
  }
  return {};
}

Result<void> check_put(const Arguments& arguments) {
  const auto format = arguments.split.format;
  if (format == RecordFormat::kJson && arguments.split_options.header_records > 0)
    return Error{Code::kInvalid, "--header-records: JSON has none; use --split csv or line"};
  return check_sources(arguments, named_sources(arguments));
}

Result<std::vector<std::string>> sources_of(const Arguments& arguments) {
  auto sources = named_sources(arguments);
  if (arguments.source_list.empty()) return sources;
  PFS_TRY_ASSIGN(const auto text, text_of(arguments.source_list));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) sources.push_back(line);
  }
  PFS_TRY(check_sources(arguments, sources));  // a list is read too late for an error of usage
  return sources;
}

/// What destination() is told of a source.
Source described(const std::string& source) {
  if (is_url(source)) return {url_path(source), false};
  struct stat found {};
  return {source, stat(source.c_str(), &found) == 0 && S_ISDIR(found.st_mode)};
}

/// What a transaction puts is listed only when it is finished: the numbers behind it are not known before.
Result<void> refuse_behind_unseen(const client::Connection& connection,
                                  const std::string& transaction, const FileRef& target) {
  if (transaction.empty()) return {};
  PFS_TRY_ASSIGN(const auto found, client::Transactions(connection).inspect(transaction));
  const auto branch = "put file " + target.commit.str();
  const auto path = branch + ":" + printable(target.path.str());
  const auto below = target.path.is_root() ? path : path + "/";
  const auto in_repo = "put file " + target.commit.repo.str() + "@";
  for (const auto& request : found.requests) {
    // of several files it is not said where they are, and of an open commit not on which branch
    const bool may_be_there = request == path || request.starts_with(below) ||
                              request.starts_with(branch + " (") ||
                              (target.commit.id && request.starts_with(in_repo));
    if (!may_be_there) continue;
    return Error{Code::kUnsupported,
                 fmt::format("{}:{}: transaction {} has '{}' already, and --split --append cannot "
                             "number its files behind that; finish the transaction first, or leave "
                             "it with: pfs stop transaction",
                             target.commit.str(), printable(target.path.str()), transaction,
                             request)};
  }
  return {};
}

/// The number behind those of the files that an earlier split left in a directory.
Result<std::uint64_t> next_split(const client::Files& files, const FileRef& target) {
  std::uint64_t next = 0;
  const auto look = [&next](const client::FileInfo& file) -> Result<void> {
    const auto name = std::string_view(file.path).substr(file.path.rfind('/') + 1);
    std::uint64_t number = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), number, 16);
    if (split_name(number) == name && read.ec == std::errc()) next = std::max(next, number + 1);
    return {};
  };
  const auto listed = files.list(target.commit, target.path, client::ListDepth::kNames, look);
  if (!listed && listed.error().code != Code::kNotFound) return listed.error();
  return next;
}

Result<LocalSender::Options> sender_options(const Arguments& arguments,
                                            const client::Connection& connection,
                                            const std::string& transaction) {
  LocalSender::Options options;
  options.recursive = arguments.recursive;
  if (!arguments.split.format) return options;
  options.split = arguments.split_options;
  options.split->format = *arguments.split.format;
  if (!arguments.append) return options;
  PFS_TRY(refuse_behind_unseen(connection, transaction, arguments.target));
  PFS_TRY_ASSIGN(options.first_split, next_split(client::Files(connection), arguments.target));
  return options;
}

/// Of local files. What cannot be looked at is told of when it is sent.
std::uint64_t bytes_of(const std::string& source) {
  struct stat found {};
  if (is_url(source) || stat(source.c_str(), &found) != 0) return 0;
  if (!S_ISDIR(found.st_mode)) return S_ISREG(found.st_mode) ? static_cast<std::uint64_t>(found.st_size) : 0;
  std::uint64_t bytes = 0;
  auto walk = LocalWalk::begin(source);
  while (walk && walk->current() != nullptr) {
    if (walk->current()->is_file()) bytes += walk->current()->size();
    if (!walk->next()) break;
  }
  return bytes;
}

Result<void> send(const Arguments& arguments, const CommitRef& target,
                  const std::vector<std::string>& sources, const client::Connection& connection,
                  const std::string& transaction) {
  PFS_TRY_ASSIGN(auto options, sender_options(arguments, connection, transaction));
  const bool replaces_split = options.split && !arguments.append;
  client::Upload upload(connection, target, {arguments.append, false});
  Progress progress("put", arguments.progress);
  options.counted = progress.is_shown();
  if (options.counted) {
    for (const auto& source : sources) progress.expect(bytes_of(source));
  }
  LocalSender sender(upload, options, progress);
  for (const auto& source : sources) {
    PFS_TRY_ASSIGN(const auto path,
                   destination(arguments.target, described(source), sources.size() > 1));
    // what an earlier split left behind the last file of this one would be taken for its records
    if (replaces_split) PFS_TRY(upload.remove(path));
    PFS_TRY(sender.send(source, path));
  }
  PFS_TRY(sender.outcome());
  PFS_TRY(upload.finish());
  return {};
}

Result<void> put(Session& session, const Arguments& arguments) {
  if (arguments.in_commit) {
    fmt::print(stderr,
               "put file: -c is not needed any more: what is put is one commit, or joins the one "
               "that is open\n");
  }
  PFS_TRY_ASSIGN(const auto target, arguments.target.to_change());
  PFS_TRY_ASSIGN(const auto sources, sources_of(arguments));
  PFS_TRY_ASSIGN(const auto transaction, session.transaction());
  return session.change([&](const client::Connection& connection) {
    return send(arguments, target, sources, connection, transaction);
  });
}
}  // namespace

void add_put_file_command(Grammar& grammar, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  auto& puts = grammar.command("put", "file", "Put files into a branch; all of them in one commit",
                               [&session, arguments] { return put(session, *arguments); },
                               [arguments] { return check_put(*arguments); });
  add_parsed(puts, "target", arguments->target, "repo@branch[:/path]")->required();
  puts.add_option("-f,--file", arguments->sources,
                  "A local file, a http(s) URL, or - for stdin (the default); may be given again")
      ->allow_extra_args(false);
  puts.add_option("-i,--input-file", arguments->source_list,
                  "A file (or - or a URL) with one source a line");
  puts.add_flag("-r,--recursive", arguments->recursive, "Directories with all that is in them");
  auto* append =
      puts.add_flag("-a,--append", arguments->append, "Add to the end of files that are there");
  puts.add_flag("-o,--overwrite", arguments->overwrite,
                "Replace files that are there (the default)")
      ->excludes(append);
  auto* split = add_parsed(puts, "--split", arguments->split,
                           "Make a directory of files with the records of a line, csv or json "
                           "source");
  add_number(puts, "--target-file-datums", arguments->split_options.records,
             "Records in a file (1, where its bytes are not said either)")
      ->needs(split);
  add_number(puts, "--target-file-bytes", arguments->split_options.bytes,
             "A file ends with the record that reaches so many bytes")
      ->needs(split);
  add_number(puts, "--header-records", arguments->split_options.header_records,
             "The first records, with which each file begins")
      ->needs(split);
  puts.add_flag("--progress,!--no-progress", arguments->progress,
                "Show on a terminal how far it is (the default)");
  add_number(puts, "-p,--parallelism", arguments->parallelism,
             "Accepted for old scripts: one stream fills the connection");
  puts.add_flag("--compress", arguments->compress,
                "Accepted for old scripts: the store compresses");
  puts.add_flag("-c,--commit", arguments->in_commit, "Deprecated: does nothing");
}

}  // namespace pfs::cli
