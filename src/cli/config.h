#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/address.h"
#include "cli/output.h"

namespace pfs::cli {

/// The client's configuration: contexts, of which one is active, and what is remembered for each.
///
/// The file is pachctl's own (`~/.pachyderm/config.json`), so the two may be used side by side:
/// fields that are not known here stay as they are, in their order. Not thread-safe; several
/// processes may change the file at once by edit().
class Config {
 public:
  /// $PFS_CONFIG, else $PACH_CONFIG, else ~/.pachyderm/config.json; nullopt without a home.
  static std::optional<std::string> path(const Surroundings& surroundings);

  /// Shape: a file that is not there is an empty configuration. Errors: kInvalid (names the file and
  /// what is wrong in it), kDenied, kIo.
  static Result<Config> load(const std::string& path);
  /// Reads the file, lets `change` work on it and writes it, while others who edit it wait; writes
  /// nothing when `change` fails. The file is for its owner alone (0600), and its directory is made
  /// if need be. Errors: as load().
  static Result<void> edit(const std::string& path,
                           const std::function<Result<void>(Config&)>& change);

  /// By name, in the order of the file.
  std::vector<std::string> contexts() const;
  /// The fields of a context, as in the file: `pachd_address`, `server_cas`, `session_token`,
  /// `active_transaction`, … Errors: kNotFound.
  Result<Json> context(const std::string& name) const;
  /// A field of a context that is text; empty where it or the context is not there.
  std::string field(const std::string& context, const std::string& name) const;
  void set_context(const std::string& name, Json fields);
  /// Sets a text field, or takes it away when `value` is empty; makes the context if need be.
  void set_field(const std::string& context, const std::string& name, const std::string& value);
  /// Errors: kNotFound, kBusy (it is the active one).
  Result<void> remove_context(const std::string& name);

  /// Empty when none is.
  std::string active_context() const;
  /// Errors: kNotFound.
  Result<void> set_active_context(const std::string& name);

  /// Whether usage figures may be sent; kept for pachctl, nothing here sends any.
  bool metrics() const;
  void set_metrics(bool metrics);

  /// The id of the transaction that commands are added to, of the active context; empty without
  /// one.
  std::string active_transaction() const;
  /// Empty: there is none any more. Where no context is active one named `default` becomes it.
  void set_active_transaction(const std::string& id);

 private:
  Result<void> save(const std::string& path) const;
  const Json* find_context(const std::string& name) const;

  Json root_ = Json::object();
};

}  // namespace pfs::cli
