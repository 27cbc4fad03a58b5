#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/tree_reader.h"
#include "trigger/internal/spec_input.h"

namespace pfs::trigger {

/// What the glob of one input matched.
struct DatumFile {
  const PfsInput* input = nullptr;  ///< of the Input that was listed, which must outlive this
  RepoPath path;
  store::Entry entry;
  std::string join_on;   ///< what the input's `join_on` came to
  std::string group_by;  ///< likewise
};

/// A piece of a job's input that is processed by itself: a file or directory, or several of several inputs.
struct Datum {
  std::vector<std::shared_ptr<const DatumFile>> files;  ///< shared: in a cross each is in many datums
  Digest id;  ///< see datum_id()

  /// Bytes of its files.
  std::uint64_t size() const;
  /// Its files' paths, for messages: `/a`, `images:/a, labels:/a.txt`.
  std::string label() const;
  /// Whether one of its files is the one named, by path or data digest, or the directory in which that lies.
  bool has(const std::string& named) const;
};

/// What each branch that is read holds; nullopt for one without a HEAD.
using InputRoots = std::map<BranchRef, std::optional<store::Subtree>>;

/// Makes datums of an input for one pipeline: names them.
class DatumMaker {
 public:
  DatumMaker(const RepoName& pipeline, std::string salt) : pipeline_(pipeline.str()), salt_(std::move(salt)) {}

  using Files = std::vector<std::shared_ptr<const DatumFile>>;
  /// With the id, which makes two datums the same: SHA-256 over, for each file, the input's name, the path and the entry's data
  /// digest, then the pipeline's name and its salt. The image, the command and the commits are not in it, so that a new
  /// image alone does not process again what is done.
  Datum make(Files files) const;

 private:
  const std::string pipeline_;
  const std::string salt_;
};

/// The datums of an input, always in the same order: those of one branch by their paths, of a cross with the last part
/// changing fastest, of a union part by part, of a join in the order in which its texts are met, of a group by its texts.
/// Datums with the same id are one.
/// Errors: kInvalid (a glob; in a group, files of one name and path that differ), kTooLarge (over kMaxDatums; names the input
/// and the numbers), kCorrupt, kIo.
/// Source: Pachyderm 1.13 "Datums"; docs/pipelines.md "Datums".
Result<std::vector<Datum>> list_datums(const store::TreeReader& reader, const Input& input, const InputRoots& roots,
                                       const DatumMaker& maker);

/// All datums of a job are in memory at once, some hundred bytes each. The bound holds for what an input comes to, and for the
/// files and parts that it is made of together.
inline constexpr std::size_t kMaxDatums = 1'000'000;

/// What one branch's glob matches, in the order of paths. Errors: kTooLarge (over `most`).
Result<DatumMaker::Files> list_files(const store::TreeReader& reader, const PfsInput& input, const InputRoots& roots,
                                     std::size_t most = kMaxDatums);
/// The tuples of files that the tuples of the parts of `input` come to together. Errors: kTooLarge.
Result<std::vector<DatumMaker::Files>> cross_product(const Input& input, const std::vector<std::vector<DatumMaker::Files>>& parts,
                                                     std::size_t most = kMaxDatums);
/// The tuples of an input, each the files of a datum, in the order of list_datums(); the same one may be there twice.
/// Errors: as list_datums(), with `most` for the bound.
Result<std::vector<DatumMaker::Files>> list_tuples(const store::TreeReader& reader, const Input& input, const InputRoots& roots,
                                                   std::size_t most = kMaxDatums);

}  // namespace pfs::trigger
