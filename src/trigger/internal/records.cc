#include "trigger/internal/records.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/codec.h"
#include "trigger/internal/hash.h"

namespace pfs::trigger {

namespace {

constexpr std::uint8_t kRecordVersion = 1;
constexpr std::uint8_t kPipelineVersion = 2;  // 1: cannot have been stopped
constexpr std::uint8_t kJobVersion = 4;    // 1: one input, no shape, no recovered datums; 2: not when it first ran; 3: no times
constexpr std::uint8_t kDatumVersion = 3;  // 1: nobody has looked for empty directories, or at what was written; 2: no times
constexpr std::uint8_t kMissVersion = 2;   // 1: what became of the datum alone

/// Shape: the record's version, from 1 to `newest`.
std::uint8_t read_version(Decoder& in, std::uint8_t newest) {
  const std::uint8_t version = in.u8();
  if (version == 0 || version > newest) in.fail();
  return version;
}

Decoder open_record(std::string_view value) {
  Decoder in(value);
  read_version(in, kRecordVersion);
  return in;
}

RepoName read_repo(Decoder& in) {
  auto name = RepoName::parse(in.bytes());
  if (!name) in.fail();
  return name ? std::move(*name) : RepoName();
}

BranchRef read_branch(Decoder& in) {
  BranchRef ref;
  ref.repo = read_repo(in);
  auto name = BranchName::parse(in.bytes());
  if (!name) in.fail();
  if (name) ref.branch = std::move(*name);
  return ref;
}

template <class Id>
Id read_id(Decoder& in) {
  const std::string_view raw = in.raw(Id::kSize);
  return in.ok() ? Id::from_bytes(raw) : Id();
}

constexpr auto kTimes = {&ProcessStats::download_time, &ProcessStats::process_time, &ProcessStats::upload_time};

void write_times(Encoder& out, const ProcessStats& stats) {
  for (const auto time : kTimes) out.varint(static_cast<std::uint64_t>((stats.*time).count()));
}
void read_times(Decoder& in, ProcessStats& stats) {
  constexpr std::uint64_t kMost = 1ULL << 56;  // two years: of a million datums there may be a sum
  for (const auto time : kTimes) {
    const std::uint64_t nanoseconds = in.varint();
    if (nanoseconds > kMost) in.fail();
    stats.*time = std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(nanoseconds, kMost)));
  }
}

void write_time(Encoder& out, const Timestamp& time) { out.signed_varint(time.nanoseconds); }
Timestamp read_time(Decoder& in) { return Timestamp{in.signed_varint()}; }

JobState read_state(Decoder& in) {
  const std::uint8_t value = in.u8();
  if (value > static_cast<std::uint8_t>(JobState::kKilled)) in.fail();
  return in.ok() ? static_cast<JobState>(value) : JobState::kStarting;
}

/// The counters, in the order of their bytes.
template <class Record>
auto counters(Record& job) {
  return std::array{&job.restarts, &job.processed,              &job.skipped,             &job.failed,
                    &job.total,    &job.stats.downloaded_bytes, &job.stats.uploaded_bytes};
}

void write_branch(Encoder& out, const BranchRef& ref) { out.bytes(ref.repo.str()).bytes(ref.branch.str()); }

template <class Id>
void write_optional(Encoder& out, const std::optional<Id>& id) {
  out.u8(id ? 1 : 0);
  if (id) out.raw(id->bytes());
}

template <class Id>
std::optional<Id> read_optional(Decoder& in) {
  if (in.u8() == 0) return std::nullopt;
  return read_id<Id>(in);
}

void write_inputs(Encoder& out, const std::vector<JobInput>& inputs) {
  out.varint(inputs.size());
  for (const JobInput& input : inputs) {
    write_branch(out, input.branch);
    write_optional(out, input.commit);
    write_optional(out, input.from);
  }
}

std::vector<JobInput> read_inputs(Decoder& in) {
  std::vector<JobInput> inputs;
  for (std::uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    JobInput input;
    input.branch = read_branch(in);
    input.commit = read_optional<CommitId>(in);
    input.from = read_optional<JobId>(in);
    inputs.push_back(std::move(input));
  }
  return inputs;
}

std::string place(std::uint64_t version, std::uint64_t number) { return fmt::format("{:016x}-{:016x}", version, number); }

}  // namespace

bool JobRecord::waits() const {
  return std::any_of(inputs.begin(), inputs.end(), [](const JobInput& input) { return input.from && !input.commit; });
}

JobInfo JobRecord::info() const {
  JobInfo info;
  info.id = id;
  info.pipeline = pipeline;
  info.pipeline_version = pipeline_version;
  info.state = state;
  info.reason = reason;
  info.started = created;
  info.finished = finished;
  info.processed = processed;
  info.skipped = skipped;
  info.failed = failed;
  info.recovered = recovered;
  info.total = total;
  info.restarts = restarts;
  info.stats = stats;
  info.inputs = inputs;
  info.output_commit = output_commit;
  return info;
}

std::string encode(const PipelineRecord& record) {
  Encoder out;
  out.u8(kPipelineVersion).bytes(record.name.str()).varint(record.version).bytes(record.spec_json).bytes(record.salt);
  write_time(out, record.created);
  out.u8(record.stopped ? 1 : 0);
  return std::move(out).str();
}

Result<PipelineRecord> decode_pipeline(std::string_view value) {
  Decoder in(value);
  const std::uint8_t version = read_version(in, kPipelineVersion);
  PipelineRecord record;
  record.name = read_repo(in);
  record.version = in.varint();
  record.spec_json = in.bytes();
  record.salt = in.bytes();
  record.created = read_time(in);
  if (version >= 2) record.stopped = in.u8() != 0;
  PFS_TRY(in.finish("a pipeline's record"));
  return record;
}

std::string encode(const VersionRecord& record) {
  Encoder out;
  out.u8(kRecordVersion).varint(record.version);
  write_time(out, record.made);
  out.bytes(record.spec_json).bytes(record.salt);
  return std::move(out).str();
}

Result<VersionRecord> decode_version(std::string_view value) {
  Decoder in = open_record(value);
  VersionRecord record;
  record.version = in.varint();
  record.made = read_time(in);
  record.spec_json = in.bytes();
  record.salt = in.bytes();
  PFS_TRY(in.finish("a record of a pipeline's version"));
  return record;
}

std::string encode(const CausedRecord& record) {
  Encoder out;
  out.u8(kRecordVersion).varint(record.pipeline_version).varint(record.next_number);
  write_inputs(out, record.inputs);
  return std::move(out).str();
}

Result<CausedRecord> decode_caused(std::string_view value) {
  Decoder in = open_record(value);
  CausedRecord record;
  record.pipeline_version = in.varint();
  record.next_number = in.varint();
  record.inputs = read_inputs(in);
  PFS_TRY(in.finish("a record of what was caused"));
  return record;
}

std::string encode(const JobRecord& record) {
  Encoder out;
  out.u8(kJobVersion).raw(record.id.bytes()).bytes(record.pipeline.str());
  out.varint(record.caused_by_version).varint(record.number).varint(record.pipeline_version);
  out.u8(static_cast<std::uint8_t>(record.state)).bytes(record.reason);
  write_time(out, record.created);
  out.u8(record.finished ? 1 : 0);
  if (record.finished) write_time(out, *record.finished);
  write_inputs(out, record.inputs);
  write_optional(out, record.output_commit);
  for (const std::uint64_t* counter : counters(record)) out.varint(*counter);
  write_optional(out, record.shape);
  out.u8(record.separable ? 1 : 0).varint(record.recovered);
  out.u8(record.begun ? 1 : 0);
  if (record.begun) write_time(out, *record.begun);
  write_times(out, record.stats);
  return std::move(out).str();
}

Result<JobRecord> decode_job(std::string_view value) {
  Decoder in(value);
  const std::uint8_t version = read_version(in, kJobVersion);
  JobRecord record;
  record.id = read_id<JobId>(in);
  record.pipeline = read_repo(in);
  record.caused_by_version = in.varint();
  record.number = in.varint();
  record.pipeline_version = in.varint();
  record.state = read_state(in);
  record.reason = in.bytes();
  record.created = read_time(in);
  if (in.u8() != 0) record.finished = read_time(in);
  if (version == 1) {
    JobInput input;
    input.branch = read_branch(in);
    input.commit = read_id<CommitId>(in);
    record.inputs.push_back(std::move(input));
  } else {
    record.inputs = read_inputs(in);
  }
  record.output_commit = read_optional<CommitId>(in);
  for (std::uint64_t* counter : counters(record)) *counter = in.varint();
  if (version >= 2) {
    record.shape = read_optional<Digest>(in);
    record.separable = in.u8() != 0;
    record.recovered = in.varint();
  }
  if (version >= 3 && in.u8() != 0) record.begun = read_time(in);
  if (version >= 4) read_times(in, record.stats);
  PFS_TRY(in.finish("a job's record"));
  return record;
}

std::string encode(const DatumRecord& record) {
  Encoder out;
  out.u8(kDatumVersion).raw(record.output.root.bytes()).raw(record.output.data_digest.bytes());
  out.varint(record.output.totals.files).varint(record.output.totals.bytes).varint(record.output.totals.links);
  out.raw(record.job.bytes()).varint(record.stats.downloaded_bytes).u8(record.has_empty_directories ? 1 : 0);
  out.varint(record.stats.uploaded_bytes);
  write_times(out, record.stats);
  return std::move(out).str();
}

Result<DatumRecord> decode_datum(std::string_view value) {
  Decoder in(value);
  const std::uint8_t version = read_version(in, kDatumVersion);
  DatumRecord record;
  record.output.root = read_id<Digest>(in);
  record.output.data_digest = read_id<Digest>(in);
  record.output.totals.files = in.varint();
  record.output.totals.bytes = in.varint();
  record.output.totals.links = in.varint();
  record.job = read_id<JobId>(in);
  record.stats.downloaded_bytes = in.varint();
  record.stats.uploaded_bytes = record.output.totals.bytes;
  if (version >= 2) {
    record.has_empty_directories = in.u8() != 0;
    record.stats.uploaded_bytes = in.varint();
  }
  if (version >= 3) read_times(in, record.stats);
  PFS_TRY(in.finish("a datum's record"));
  return record;
}

std::string encode(const MissRecord& record) {
  Encoder out;
  out.u8(kMissVersion).u8(static_cast<std::uint8_t>(record.what));
  out.varint(record.stats.downloaded_bytes).varint(record.stats.uploaded_bytes);
  write_times(out, record.stats);
  return std::move(out).str();
}

Result<MissRecord> decode_miss(std::string_view value) {
  Decoder in(value);
  const std::uint8_t version = read_version(in, kMissVersion);
  MissRecord record;
  const std::uint8_t what = in.u8();
  if (what > static_cast<std::uint8_t>(Miss::kCutOff)) in.fail();
  record.what = static_cast<Miss>(what);
  if (version >= 2) {
    record.stats.downloaded_bytes = in.varint();
    record.stats.uploaded_bytes = in.varint();
    read_times(in, record.stats);
  }
  PFS_TRY(in.finish("the record of a datum without output"));
  return record;
}

std::string encode_names(const std::vector<RepoName>& names) {
  Encoder out;
  out.u8(kRecordVersion).varint(names.size());
  for (const RepoName& name : names) out.bytes(name.str());
  return std::move(out).str();
}

Result<std::vector<RepoName>> decode_names(std::string_view value) {
  Decoder in = open_record(value);
  std::vector<RepoName> names;
  for (std::uint64_t count = in.varint(); count > 0 && in.ok(); --count) names.push_back(read_repo(in));
  PFS_TRY(in.finish("a list of pipelines"));
  return names;
}

std::string pipeline_key(const RepoName& name) { return "pipeline/" + name.str(); }
std::string versions_prefix(const RepoName& pipeline) { return "version/" + pipeline.str() + "/"; }
std::string version_key(const RepoName& pipeline, std::uint64_t version) {
  return versions_prefix(pipeline) + fmt::format("{:016x}", ~version);
}
std::string input_key(const BranchRef& branch) { return "input/" + branch.str(); }
std::string caused_key(const RepoName& pipeline) { return "caused/" + pipeline.str(); }
std::string job_key(const JobId& id) { return "job/" + id.hex(); }
std::string jobs_prefix(const RepoName& pipeline) { return "jobs/" + pipeline.str() + "/"; }
std::string jobs_key(const JobRecord& job) {
  // all bits turned around: a scan meets the newest first
  return jobs_prefix(job.pipeline) + place(~job.caused_by_version, ~job.number);
}
std::string jobs_of_version_key(const RepoName& pipeline, std::uint64_t version) {
  return jobs_prefix(pipeline) + place(~version, 0);
}
std::string queue_prefix(const RepoName& pipeline) { return "queue/" + pipeline.str() + "/"; }
std::string queue_key(const JobRecord& job) {
  return queue_prefix(job.pipeline) + place(job.caused_by_version, job.number);
}

JobId job_id(const PipelineRecord& pipeline, const std::vector<JobInput>& inputs, std::uint64_t number) {
  Encoder in;
  in.bytes("pfs.job.2").bytes(pipeline.name.str()).varint(pipeline.version).bytes(pipeline.salt).varint(number);
  write_inputs(in, inputs);
  return JobId::from_bytes(sha256(in.str()).bytes().substr(0, JobId::kSize));
}

}  // namespace pfs::trigger
