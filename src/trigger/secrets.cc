#include "trigger/secrets.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/names.h"
#include "trigger/internal/secret_manifest.h"

namespace pfs::trigger {

namespace {

namespace bfs = boost::filesystem;

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxName = 253;
constexpr std::string_view kUnfinished = ".new-";  // no secret's name begins with a dot

std::string encode(const Secret& secret) {
  Encoder out;
  out.u8(kVersion).bytes(secret.type).signed_varint(secret.created.nanoseconds).varint(secret.values.size());
  for (const auto& [key, value] : secret.values) out.bytes(key).bytes(value);
  return std::move(out).str();
}

Result<Secret> decode(std::string_view bytes, const SecretName& name) {
  Decoder in(bytes);
  if (in.u8() != kVersion) in.fail();
  Secret secret;
  secret.type = in.bytes();
  secret.created = Timestamp{in.signed_varint()};
  const std::uint64_t count = in.varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::string key(in.bytes());
    secret.values[key] = in.bytes();
  }
  PFS_TRY(in.finish("secret '" + name.str() + "'"));
  return secret;
}

Error no_such(const SecretName& name) {
  return Error{Code::kNotFound,
               fmt::format("secret '{}': no such secret; make it with `pfs create secret -f FILE`", name.str())};
}

SecretInfo info_of(const SecretName& name, const Secret& secret) {
  SecretInfo info{name, secret.type, secret.created, {}};
  for (const auto& [key, value] : secret.values) info.keys.push_back(key);
  return info;
}

/// All of it, synced, under a name that nobody looks for.
Result<void> write_new(const std::string& path, std::string_view text) {
  PFS_TRY_ASSIGN(const File file, File::open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  PFS_TRY(file.write_at(0, as_bytes(text)));
  return file.sync();
}

}  // namespace

Result<SecretName> SecretName::parse(std::string_view text) {
  const auto may_be_in = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; };
  if (text.empty() || text.size() > kMaxName || std::isalnum(static_cast<unsigned char>(text.front())) == 0 ||
      !std::all_of(text.begin(), text.end(), may_be_in)) {
    return Error{Code::kInvalid, fmt::format("secret '{}': a name is of letters, digits, '.', '_' and '-', begins with a "
                                             "letter or digit, and has at most {} bytes",
                                             printable(text.substr(0, kMaxName)), kMaxName)};
  }
  SecretName name;
  name.text_ = text;
  return name;
}

Result<std::unique_ptr<Secrets>> Secrets::open(const std::string& directory, const Clock& clock) {
  boost::system::error_code error;
  bfs::create_directories(directory, error);
  if (error) return error_from_errno(error.value(), "make " + directory);
  bfs::permissions(directory, bfs::owner_all, error);
  if (error) return error_from_errno(error.value(), "chmod " + directory);
  for (bfs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    boost::system::error_code ignored;  // it is in nobody's way
    if (at->path().filename().string().starts_with(kUnfinished)) bfs::remove(at->path(), ignored);
  }
  if (error) return error_from_errno(error.value(), "read directory " + directory);
  return std::unique_ptr<Secrets>(new Secrets(directory, clock));
}

Result<SecretInfo> Secrets::create(const std::string& manifest) {
  PFS_TRY_ASSIGN(SecretManifest made, read_secret_manifest(manifest));
  const Secret secret{std::move(made.type), clock_.now(), std::move(made.values)};
  const std::string unfinished = directory_ + "/" + std::string(kUnfinished) + new_commit_id().hex();
  auto written = write_new(unfinished, encode(secret));
  // a link is refused where the name is taken, so of two that are made at once there is one
  const int failed = written && ::link(unfinished.c_str(), path_of(made.name).c_str()) != 0 ? errno : 0;
  ::unlink(unfinished.c_str());
  PFS_TRY(written);
  if (failed == EEXIST) {
    return Error{Code::kExists, fmt::format("secret '{0}': is there already; `pfs delete secret {0}` first", made.name.str())};
  }
  if (failed != 0) return error_from_errno(failed, fmt::format("secret '{}'", made.name.str()));
  PFS_TRY(sync_directory(directory_));
  return info_of(made.name, secret);
}

Result<Secret> Secrets::read(const SecretName& name) const {
  const auto bytes = read_file(path_of(name));
  if (!bytes && bytes.error().code == Code::kNotFound) return no_such(name);
  PFS_TRY(bytes);
  return decode(*bytes, name);
}

Result<SecretInfo> Secrets::get(const SecretName& name) const {
  PFS_TRY_ASSIGN(const Secret secret, read(name));
  return info_of(name, secret);
}

Result<std::vector<SecretInfo>> Secrets::list() const {
  std::vector<SecretInfo> all;
  boost::system::error_code error;
  for (bfs::directory_iterator at(directory_, error), end; !error && at != end; at.increment(error)) {
    const auto name = SecretName::parse(at->path().filename().string());
    if (!name) continue;
    auto info = get(*name);
    if (info) {
      all.push_back(*std::move(info));
    } else if (info.error().code != Code::kNotFound) {  // gone meanwhile
      spdlog::error("{}", info.error().message);
    }
  }
  if (error) return error_from_errno(error.value(), "read directory " + directory_);
  std::sort(all.begin(), all.end(), [](const SecretInfo& a, const SecretInfo& b) {
    return a.created != b.created ? a.created > b.created : a.name.str() < b.name.str();
  });
  return all;
}

Result<void> Secrets::remove(const SecretName& name) {
  if (::unlink(path_of(name).c_str()) != 0) {
    if (errno == ENOENT) return no_such(name);
    return error_from_errno(errno, fmt::format("secret '{}'", name.str()));
  }
  return sync_directory(directory_);
}

}  // namespace pfs::trigger
