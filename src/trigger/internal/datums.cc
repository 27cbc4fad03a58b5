#include "trigger/internal/datums.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/codec.h"
#include "store/glob.h"
#include "trigger/internal/capture_text.h"
#include "trigger/internal/hash.h"

namespace pfs::trigger {

namespace {

using Files = DatumMaker::Files;
using Tuples = std::vector<Files>;

Error too_many(const Input& input, std::size_t most) {
  return Error{Code::kTooLarge, fmt::format("input {}: over {} datums, the most that a job may have; choose a wider glob",
                                            shorthand(input), most)};
}

Error too_large_product(const Input& input, const std::vector<Tuples>& parts, std::size_t most) {
  std::string sizes;
  for (const Tuples& part : parts) sizes += fmt::format("{}{}", sizes.empty() ? "" : " x ", part.size());
  return Error{Code::kTooLarge, fmt::format("input {}: {} datums, over {}, the most that a job may have; choose wider globs",
                                            shorthand(input), sizes, most)};
}

void append(Files& to, const Files& more) { to.insert(to.end(), more.begin(), more.end()); }

/// Files with the same text, part by part, in the order in which the texts were met first.
class Joined {
 public:
  explicit Joined(std::size_t parts) : parts_(parts) {}

  void add(std::size_t part, const std::shared_ptr<const DatumFile>& file) {
    const auto [place, is_new] = places_.try_emplace(file->join_on, rows_.size());
    if (is_new) rows_.emplace_back(parts_);
    rows_[place->second][part].push_back({file});
  }

  /// Every combination of files with the same text; where a part has none, of those that an outer join keeps.
  Result<Tuples> tuples(const Input& input, std::size_t most) const {
    Tuples all;
    for (const auto& row : rows_) {
      const bool whole = std::none_of(row.begin(), row.end(), [](const Tuples& part) { return part.empty(); });
      std::vector<Tuples> kept;
      for (const Tuples& part : row) {
        if (whole) {
          kept.push_back(part);
          continue;
        }
        Tuples outer;  // a part may be a union of inputs, each with its own word
        std::copy_if(part.begin(), part.end(), std::back_inserter(outer),
                     [](const Files& tuple) { return tuple.front()->input->outer_join; });
        if (!outer.empty()) kept.push_back(std::move(outer));
      }
      if (kept.empty()) continue;
      PFS_TRY_ASSIGN(Tuples product, cross_product(input, kept, most));
      if (all.size() + product.size() > most) return too_many(input, most);
      all.insert(all.end(), std::make_move_iterator(product.begin()), std::make_move_iterator(product.end()));
    }
    return all;
  }

 private:
  const std::size_t parts_;
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<std::vector<Tuples>> rows_;
};

/// The files of a datum of a group: each once, also where a join inside has it in several tuples.
class Group {
 public:
  /// Errors: kInvalid (another one is at its place in the view, as parts of a union may share a name; names both).
  Result<void> add(const Input& input, const std::shared_ptr<const DatumFile>& file) {
    const auto [at_place, is_new] = at_.insert(file.get());
    const DatumFile& there = **at_place;
    if (is_new) {
      files_.push_back(file);
    } else if (&there != file.get() && there.entry.data_digest() != file->entry.data_digest()) {
      return Error{Code::kInvalid, fmt::format("input {}: /pfs/{}{} of one datum is a file of {} and another of {}; give one of "
                                               "these inputs a name of its own",
                                               shorthand(input), file->input->name.str(), printable(file->path.str()),
                                               there.input->ref().str(), file->input->ref().str())};
    }
    return {};
  }
  Files files() && { return std::move(files_); }

 private:
  struct ByPlace {
    bool operator()(const DatumFile* a, const DatumFile* b) const {
      return std::tie(a->input->name, a->path) < std::tie(b->input->name, b->path);
    }
  };

  Files files_;
  std::set<const DatumFile*, ByPlace> at_;  ///< the same, by where a program sees them
};

Result<Tuples> grouped(const Input& input, const std::vector<Tuples>& parts) {
  std::map<std::string, Group> groups;
  for (const Tuples& part : parts) {
    for (const Files& tuple : part) {
      for (const auto& file : tuple) PFS_TRY(groups[file->group_by].add(input, file));
    }
  }
  Tuples tuples;
  for (auto& [text, group] : groups) tuples.push_back(std::move(group).files());
  return tuples;
}

}  // namespace

std::uint64_t Datum::size() const {
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += file->input->empty_files ? 0 : file->entry.size();
  return bytes;
}

bool Datum::has(const std::string& named) const {
  const std::string wanted = named.starts_with('/') ? named : "/" + named;
  return std::any_of(files.begin(), files.end(), [&](const auto& file) {
    if (named == file->entry.data_digest().hex()) return true;
    const std::string path = file->path.is_root() ? "" : file->path.str();
    return wanted.starts_with(path) && (wanted.size() == path.size() || wanted[path.size()] == '/');
  });
}

std::string Datum::label() const {
  if (files.size() == 1) return printable(files.front()->path.str());
  constexpr std::size_t kMost = 8;
  std::string text;
  for (std::size_t i = 0; i < files.size() && i < kMost; ++i) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ", ", files[i]->input->name.str(), printable(files[i]->path.str()));
  }
  return files.size() > kMost ? fmt::format("{} and {} more", text, files.size() - kMost) : text;
}

Datum DatumMaker::make(Files files) const {
  Encoder in;
  in.bytes("pfs.datum.1").varint(files.size());
  for (const auto& file : files) {
    in.bytes(file->input->name.str()).bytes(file->path.str()).raw(file->entry.data_digest().bytes());
  }
  in.bytes(pipeline_).bytes(salt_);
  return {std::move(files), sha256(in.str())};
}

Result<Files> list_files(const store::TreeReader& reader, const PfsInput& input, const InputRoots& roots, std::size_t most) {
  const auto root = roots.find(input.ref());
  if (root == roots.end() || !root->second) return Files();
  PFS_TRY_ASSIGN(const store::Glob glob, store::Glob::parse(input.glob));
  PFS_TRY_ASSIGN(const CaptureText join_on, CaptureText::parse(input.join_on, glob.groups()));
  PFS_TRY_ASSIGN(const CaptureText group_by, CaptureText::parse(input.group_by, glob.groups()));
  Files files;
  bool over = false;
  PFS_TRY(glob.visit(reader, *root->second, [&](const store::GlobMatch& match) {
    over = files.size() == most;
    if (over) return false;
    files.push_back(std::make_shared<const DatumFile>(
        DatumFile{&input, match.path, match.entry, join_on.expand(match.captures), group_by.expand(match.captures)}));
    return true;
  }));
  if (over) return too_many(Input{Input::Kind::kPfs, input, {}}, most);
  return files;
}

Result<Tuples> cross_product(const Input& input, const std::vector<Tuples>& parts, std::size_t most) {
  std::size_t count = 1;
  for (const Tuples& part : parts) {
    if (part.empty()) return Tuples();
  }
  for (const Tuples& part : parts) {
    if (count > most / part.size()) return too_large_product(input, parts, most);
    count *= part.size();
  }
  Tuples product(1);
  for (const Tuples& part : parts) {
    Tuples longer;
    longer.reserve(product.size() * part.size());
    for (const Files& begun : product) {
      for (const Files& more : part) {
        longer.push_back(begun);
        append(longer.back(), more);
      }
    }
    product = std::move(longer);
  }
  return product;
}

Result<Tuples> list_tuples(const store::TreeReader& reader, const Input& input, const InputRoots& roots, std::size_t most) {
  if (input.kind == Input::Kind::kPfs) {
    PFS_TRY_ASSIGN(const Files files, list_files(reader, input.pfs, roots, most));
    Tuples tuples;
    tuples.reserve(files.size());
    for (const auto& file : files) tuples.push_back({file});
    return tuples;
  }
  std::vector<Tuples> parts;
  std::size_t together = 0;
  for (const Input& part : input.parts) {
    PFS_TRY_ASSIGN(Tuples tuples, list_tuples(reader, part, roots, most));
    together += tuples.size();
    if (together > most) return too_many(input, most);
    parts.push_back(std::move(tuples));
  }
  switch (input.kind) {
    case Input::Kind::kPfs:
    case Input::Kind::kUnion: {
      Tuples all;
      for (Tuples& part : parts) all.insert(all.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
      return all;
    }
    case Input::Kind::kCross: return cross_product(input, parts, most);
    case Input::Kind::kGroup: return grouped(input, parts);
    case Input::Kind::kJoin: break;
  }
  Joined joined(parts.size());
  for (std::size_t part = 0; part < parts.size(); ++part) {
    for (const Files& tuple : parts[part]) {
      for (const auto& file : tuple) joined.add(part, file);
    }
  }
  return joined.tuples(input, most);
}

Result<std::vector<Datum>> list_datums(const store::TreeReader& reader, const Input& input, const InputRoots& roots,
                                       const DatumMaker& maker) {
  PFS_TRY_ASSIGN(Tuples tuples, list_tuples(reader, input, roots));
  std::vector<Datum> datums;
  datums.reserve(tuples.size());
  std::unordered_set<Digest> seen;
  for (Files& files : tuples) {
    Datum datum = maker.make(std::move(files));
    // paths of one branch are different; where branches are combined, two may have the same
    if (input.kind != Input::Kind::kPfs && !seen.insert(datum.id).second) continue;
    datums.push_back(std::move(datum));
  }
  return datums;
}

}  // namespace pfs::trigger
