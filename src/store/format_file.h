#pragma once

#include <string>

#include "base/result.h"

namespace pfs::store {

/// FORMAT, the file of a store that says which versions may open it: lines of `name value`.
/// Source: docs/format.md "The directory".
struct FormatFile {
  std::string id;  ///< the store's own, 32 hex digits; empty: there is no file yet

  std::string text() const;
  /// Errors: kCorrupt, kUnsupported (a newer version, features that are not known here); they name `path`.
  static Result<FormatFile> parse(const std::string& path, const std::string& text);
};

}  // namespace pfs::store
