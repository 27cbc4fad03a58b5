#pragma once

#include <curl/curl.h>

#include "base/result.h"

namespace pfs::cli {

/// What of libcurl is called here.
struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_strerror) easy_strerror;
};

/// libcurl, loaded when it is first asked for and then kept: with it come thirty libraries more
/// (LDAP, Kerberos, SSH), which a command that reads no URL would pay for at its start. Errors:
/// kUnavailable (it is not installed). Thread-safe.
Result<const CurlLibrary*> curl_library();

}  // namespace pfs::cli
