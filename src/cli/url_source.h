#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pfs::cli {

/// Whether a source is written as `scheme://…`.
bool is_url(std::string_view source);
/// The path of a URL, without host and query: what a file of it is called.
std::string url_path(const std::string& url);

/// Reads a http or https URL, redirects followed; `data` gets the bytes as they come.
/// Errors: kUnsupported (another scheme), kNotFound and kDenied (as the server says), kUnavailable,
/// those of `data`.
Result<void> read_url(const std::string& url,
                      const std::function<Result<void>(std::string_view)>& data);

}  // namespace pfs::cli
