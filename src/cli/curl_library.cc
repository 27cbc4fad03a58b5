#include "cli/curl_library.h"

#include <dlfcn.h>

#include <fmt/format.h>

namespace pfs::cli {
namespace {

constexpr auto kName =
    "libcurl.so.4";  // the interface that curl/curl.h describes has had this name since 2006

Error not_there() {
  const char* reason = ::dlerror();
  return Error{Code::kUnavailable,
               fmt::format("URLs are read with libcurl, which cannot be loaded: {}; install the "
                           "package libcurl4",
                           reason != nullptr ? reason : kName)};
}

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

Result<CurlLibrary> load() {
  void* library = ::dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return not_there();
  CurlLibrary found{};
  if (!find(library, "curl_global_init", found.global_init) ||
      !find(library, "curl_easy_init", found.easy_init) ||
      !find(library, "curl_easy_cleanup", found.easy_cleanup) ||
      !find(library, "curl_easy_setopt", found.easy_setopt) ||
      !find(library, "curl_easy_perform", found.easy_perform) ||
      !find(library, "curl_easy_getinfo", found.easy_getinfo) ||
      !find(library, "curl_easy_strerror", found.easy_strerror)) {
    return not_there();
  }
  if (found.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return Error{Code::kInternal, "libcurl did not start"};
  return found;
}

}  // namespace

Result<const CurlLibrary*> curl_library() {
  static const Result<CurlLibrary> library = load();
  if (!library) return library.error();
  return &*library;
}

}  // namespace pfs::cli
