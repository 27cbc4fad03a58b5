#include "cli/config.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>
#include <boost/filesystem.hpp>

#include "base/file.h"

namespace pfs::cli {
namespace {

constexpr char kVersion2[] = "v2";
constexpr char kContexts[] = "contexts";
constexpr char kActiveContext[] = "active_context";
constexpr char kActiveTransaction[] = "active_transaction";
constexpr char kMetrics[] = "metrics";
constexpr char kDefaultContext[] = "default";

/// Held by who edits the file. A file of its own, as the configuration itself is replaced.
Result<UniqueFd> lock_beside(const std::string& path) {
  const auto name = path + ".lock";
  UniqueFd fd(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return error_from_errno(errno, name);
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return error_from_errno(errno, name);
  }
  return fd;
}

/// Fields that are read must be what they are said to be; others are nobody's business.
Result<void> check_shape(const Json& root, const std::string& path) {
  const auto bad = [&path](std::string_view what) {
    return Error{Code::kInvalid,
                 fmt::format("configuration {}: {}; mend it or move it away", path, what)};
  };
  if (!root.is_object()) return bad("is no JSON object");
  const auto v2 = root.find(kVersion2);
  if (v2 == root.end()) return {};
  if (!v2->is_object()) return bad("v2 is no object");
  if (const auto active = v2->find(kActiveContext); active != v2->end() && !active->is_string()) {
    return bad("v2.active_context is no text");
  }
  const auto contexts = v2->find(kContexts);
  if (contexts == v2->end()) return {};
  if (!contexts->is_object()) return bad("v2.contexts is no object");
  for (const auto& [name, fields] : contexts->items()) {
    if (!fields.is_object()) return bad(fmt::format("context '{}' is no object", name));
  }
  return {};
}

}  // namespace

std::optional<std::string> Config::path(const Surroundings& surroundings) {
  for (const auto* name : {"PFS_CONFIG", "PACH_CONFIG"}) {
    if (auto value = surroundings.variable(name)) return value;
  }
  if (const auto home = surroundings.variable("HOME")) return *home + "/.pachyderm/config.json";
  return std::nullopt;
}

Result<Config> Config::load(const std::string& path) {
  Config config;
  struct stat found {};
  // a home that we may not enter, as after setpriv(1), is somebody else's: so is what lies in it
  if (stat(path.c_str(), &found) != 0 && (errno == ENOENT || errno == EACCES)) return config;
  PFS_TRY_ASSIGN(const auto text, read_file(path));
  config.root_ = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (config.root_.is_discarded()) {
    return Error{Code::kInvalid,
                 fmt::format("configuration {}: is no JSON; mend it or move it away", path)};
  }
  PFS_TRY(check_shape(config.root_, path));
  return config;
}

Result<void> Config::edit(const std::string& path,
                          const std::function<Result<void>(Config&)>& change) {
  const auto directory = boost::filesystem::path(path).parent_path();
  boost::system::error_code error;
  if (!directory.empty()) boost::filesystem::create_directories(directory, error);
  if (error) return error_from_errno(error.value(), "make " + directory.string());
  PFS_TRY_ASSIGN(const auto lock, lock_beside(path));
  PFS_TRY_ASSIGN(auto config, load(path));
  PFS_TRY(change(config));
  return config.save(path);
}

Result<void> Config::save(const std::string& path) const {
  return write_file_atomically(path,
                               root_.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

const Json* Config::find_context(const std::string& name) const {
  const auto v2 = root_.find(kVersion2);
  if (v2 == root_.end()) return nullptr;
  const auto contexts = v2->find(kContexts);
  if (contexts == v2->end()) return nullptr;
  const auto found = contexts->find(name);
  return found == contexts->end() ? nullptr : &*found;
}

std::vector<std::string> Config::contexts() const {
  std::vector<std::string> names;
  const auto v2 = root_.find(kVersion2);
  if (v2 == root_.end() || v2->find(kContexts) == v2->end()) return names;
  for (const auto& [name, fields] : v2->find(kContexts)->items()) names.push_back(name);
  return names;
}

Result<Json> Config::context(const std::string& name) const {
  if (const Json* found = find_context(name)) return *found;
  return Error{Code::kNotFound, fmt::format("context {}: no such context", name)};
}

std::string Config::field(const std::string& context, const std::string& name) const {
  const Json* fields = find_context(context);
  if (fields == nullptr) return {};
  const auto found = fields->find(name);
  return found != fields->end() && found->is_string() ? found->get<std::string>() : std::string();
}

void Config::set_context(const std::string& name, Json fields) {
  root_[kVersion2][kContexts][name] = std::move(fields);
}

void Config::set_field(const std::string& context, const std::string& name,
                       const std::string& value) {
  auto& fields = root_[kVersion2][kContexts][context];
  if (fields.is_null()) fields = Json::object();
  if (value.empty()) {
    fields.erase(name);
  } else {
    fields[name] = value;
  }
}

Result<void> Config::remove_context(const std::string& name) {
  PFS_TRY(context(name));
  if (name == active_context()) {
    return Error{Code::kBusy,
                 fmt::format("context {}: is the active one; make another active first", name)};
  }
  root_[kVersion2][kContexts].erase(name);
  return {};
}

std::string Config::active_context() const {
  const auto v2 = root_.find(kVersion2);
  if (v2 == root_.end()) return {};
  const auto active = v2->find(kActiveContext);
  return active == v2->end() ? std::string() : active->get<std::string>();
}

Result<void> Config::set_active_context(const std::string& name) {
  PFS_TRY(context(name));
  root_[kVersion2][kActiveContext] = name;
  return {};
}

bool Config::metrics() const {
  const auto v2 = root_.find(kVersion2);
  if (v2 == root_.end()) return false;
  const auto found = v2->find(kMetrics);
  return found != v2->end() && found->is_boolean() && found->get<bool>();
}

void Config::set_metrics(bool metrics) { root_[kVersion2][kMetrics] = metrics; }

std::string Config::active_transaction() const {
  return field(active_context(), kActiveTransaction);
}

void Config::set_active_transaction(const std::string& id) {
  auto context = active_context();
  if (context.empty()) {
    if (id.empty()) return;
    context = kDefaultContext;
    root_[kVersion2][kActiveContext] = context;
  }
  set_field(context, kActiveTransaction, id);
}

}  // namespace pfs::cli
