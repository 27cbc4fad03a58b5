#include "cli/url_source.h"

#include <cctype>
#include <memory>

#include <fmt/format.h>

#include "cli/curl_library.h"

namespace pfs::cli {
namespace {

constexpr long kMaxRedirects = 10;
constexpr long kConnectSeconds = 30;
constexpr long kStalledSeconds = 60;  // without a byte

struct Transfer {
  const std::function<Result<void>(std::string_view)>* data = nullptr;
  Result<void> outcome;
};

extern "C" std::size_t pfs_take_url_bytes(char* bytes, std::size_t size, std::size_t count,
                                          void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  transfer.outcome = (*transfer.data)(std::string_view(bytes, size * count));
  return transfer.outcome ? size * count : 0;  // fewer than were offered ends the transfer
}

std::string_view scheme_of(std::string_view source) {
  const auto end = source.find("://");
  if (end == source.npos || end == 0) return {};
  const auto scheme = source.substr(0, end);
  for (const char c : scheme) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '+' && c != '-' && c != '.')
      return {};
  }
  return scheme;
}

Code code_of_http(long status) {
  if (status == 404 || status == 410) return Code::kNotFound;
  if (status == 401 || status == 403) return Code::kDenied;
  return Code::kUnavailable;
}

}  // namespace

bool is_url(std::string_view source) { return !scheme_of(source).empty(); }

std::string url_path(const std::string& url) {
  const auto host = url.find("://") + 3;
  const auto path = url.find('/', host);
  if (path == url.npos) return "";
  return url.substr(path, std::min(url.find_first_of("?#", path), url.size()) - path);
}

Result<void> read_url(const std::string& url,
                      const std::function<Result<void>(std::string_view)>& data) {
  const auto scheme = scheme_of(url);
  if (scheme != "http" && scheme != "https") {
    return Error{
        Code::kUnsupported,
        fmt::format("{}: sources of {}:// cannot be read yet; use a local path, http:// or "
                    "https://",
                    url, scheme)};
  }
  PFS_TRY_ASSIGN(const auto* lib, curl_library());
  const std::unique_ptr<CURL, decltype(lib->easy_cleanup)> curl(lib->easy_init(),
                                                                lib->easy_cleanup);
  if (!curl) return Error{Code::kInternal, "libcurl did not start"};
  Transfer transfer{&data, {}};
  const auto set = [&](CURLoption option, auto value) {
    lib->easy_setopt(curl.get(), option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, kMaxRedirects);
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  set(CURLOPT_WRITEFUNCTION, pfs_take_url_bytes);
  set(CURLOPT_WRITEDATA, &transfer);
  const auto code = lib->easy_perform(curl.get());
  PFS_TRY(std::move(transfer.outcome));
  if (code == CURLE_OK) return {};
  long status = 0;
  lib->easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_HTTP_RETURNED_ERROR)
    return Error{code_of_http(status), fmt::format("{}: the server answers {}", url, status)};
  return Error{Code::kUnavailable, fmt::format("{}: {}", url, lib->easy_strerror(code))};
}

}  // namespace pfs::cli
