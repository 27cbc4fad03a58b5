// Pipelines that come, change and go, in transactions of others.

#include <algorithm>
#include <map>

#include "trigger/internal/ledger.h"
#include "trigger/internal/spec.h"

namespace pfs::trigger {

namespace {

/// Holds nothing; written with every pipeline that is made or changed.
constexpr const char* kChangeKey = "pipelines";

Result<std::vector<BranchRef>> inputs_of(const PipelineRecord& pipeline) {
  PFS_TRY_ASSIGN(const PipelineSpec spec, spec_of(pipeline));
  return spec.inputs();
}

/// The readers of branches, as a transaction changes them: each row is read and written once, whoever it is about.
class Readers {
 public:
  Readers(const store::RefDb& refs, store::RefTxn& txn) : refs_(refs), txn_(txn) {}

  Result<void> add(const RepoName& pipeline, const std::vector<BranchRef>& inputs) {
    for (const BranchRef& branch : inputs) {
      PFS_TRY_ASSIGN(std::vector<RepoName>* names, of(branch));
      if (std::find(names->begin(), names->end(), pipeline) == names->end()) names->push_back(pipeline);
    }
    return {};
  }

  Result<void> remove(const RepoName& pipeline, const std::vector<BranchRef>& inputs) {
    for (const BranchRef& branch : inputs) {
      PFS_TRY_ASSIGN(std::vector<RepoName>* names, of(branch));
      std::erase(*names, pipeline);
    }
    return {};
  }

  /// Of one of which nobody knows any more what it reads.
  Result<void> remove_everywhere(const RepoName& pipeline) {
    constexpr std::string_view kInputs = "input/";
    std::vector<BranchRef> inputs;
    PFS_TRY(refs_.scan(kInputs, {}, [&](std::string_view key, const store::RefValue& row) {
      const auto branch = BranchRef::parse(key.substr(kInputs.size()));
      const auto names = decode_names(row.value);
      if (branch && names && std::find(names->begin(), names->end(), pipeline) != names->end()) inputs.push_back(*branch);
      return true;
    }));
    return remove(pipeline, inputs);
  }
  Result<void> remove(const PipelineRecord& pipeline) {
    const auto inputs = inputs_of(pipeline);
    return inputs ? remove(pipeline.name, *inputs) : remove_everywhere(pipeline.name);
  }

  void write() {
    for (const auto& [branch, names] : names_) {
      if (names.empty()) {
        txn_.erase.push_back(input_key(branch));
      } else {
        txn_.put.push_back({input_key(branch), encode_names(names)});
      }
    }
  }

 private:
  Result<std::vector<RepoName>*> of(const BranchRef& branch) {
    if (const auto known = names_.find(branch); known != names_.end()) return &known->second;
    PFS_TRY_ASSIGN(const auto row, refs_.get(input_key(branch)));
    expect(txn_, input_key(branch), row ? std::optional(row->version) : std::nullopt);
    std::vector<RepoName> names;
    if (row) {
      PFS_TRY_ASSIGN(names, decode_names(row->value));
    }
    return &names_.emplace(branch, std::move(names)).first->second;
  }

  const store::RefDb& refs_;
  store::RefTxn& txn_;
  std::map<BranchRef, std::vector<RepoName>> names_;
};

}  // namespace

Result<PipelineSpec> spec_of(const PipelineRecord& pipeline) {
  if (!pipeline.damage.empty()) return Error{Code::kCorrupt, pipeline.damage};
  PFS_TRY_ASSIGN(PipelineSpec spec, parse_spec(pipeline.spec_json));
  spec.version = pipeline.version;
  return spec;
}

Result<std::optional<store::Seq>> Ledger::last_change() const {
  PFS_TRY_ASSIGN(const auto row, refs_.get(kChangeKey));
  return row ? std::optional(row->version) : std::nullopt;
}

Result<void> Ledger::add_planned(std::optional<store::Seq> planned_at, store::RefTxn& txn) const {
  PFS_TRY_ASSIGN(const auto last, last_change());
  if (last != planned_at) return Error{Code::kConflict, "pipelines: others change them; try again"};
  expect(txn, kChangeKey, planned_at);
  txn.put.push_back({kChangeKey, ""});
  return {};
}

Result<void> Ledger::add_put_pipelines(std::span<const Change> changes, store::RefTxn& txn) const {
  Readers readers(refs_, txn);
  for (const auto& [record, old, when] : changes) {
    const std::string key = pipeline_key(record.name);
    expect(txn, key, old ? std::optional(old->version) : std::nullopt);
    txn.put.push_back({key, encode(record)});
    if (!old || old->record.version != record.version) {
      txn.put.push_back({version_key(record.name, record.version),
                         encode(VersionRecord{record.version, when, record.spec_json, record.salt})});
    }
    if (old) PFS_TRY(readers.remove(old->record));
    PFS_TRY_ASSIGN(const auto inputs, inputs_of(record));
    PFS_TRY(readers.add(record.name, inputs));
  }
  readers.write();
  return {};
}

Result<void> Ledger::add_erase_pipelines(std::span<const Versioned<PipelineRecord>> pipelines, store::RefTxn& txn) const {
  Readers readers(refs_, txn);
  std::set<RepoName> gone;
  for (const auto& [record, version] : pipelines) gone.insert(record.name);
  PFS_TRY(add_settled_caused(gone, txn));
  for (const auto& [record, version] : pipelines) {
    expect(txn, pipeline_key(record.name), version);
    txn.erase.push_back(pipeline_key(record.name));
    // a job that is caused meanwhile is written with this, and would be left behind
    PFS_TRY_ASSIGN(const auto caused_last, refs_.get(caused_key(record.name)));
    expect(txn, caused_key(record.name), caused_last ? std::optional(caused_last->version) : std::nullopt);
    txn.erase.push_back(caused_key(record.name));
    PFS_TRY(readers.remove(record));
    PFS_TRY(refs_.scan(jobs_prefix(record.name), {}, [&](std::string_view key, const store::RefValue& row) {
      txn.erase.emplace_back(key);
      txn.erase.push_back("job/" + row.value);
      return true;
    }));
    for (const std::string& prefix : {queue_prefix(record.name), versions_prefix(record.name)}) {
      PFS_TRY(refs_.scan(prefix, {}, [&](std::string_view key, const store::RefValue&) {
        txn.erase.emplace_back(key);
        return true;
      }));
    }
  }
  readers.write();
  return {};
}

}  // namespace pfs::trigger
