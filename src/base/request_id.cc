#include "base/request_id.h"

#include <utility>

namespace pfs {
namespace {

std::string& request_of_this_thread() {
  thread_local std::string id;
  return id;
}

}  // namespace

std::string_view current_request() { return request_of_this_thread(); }

void set_current_request(std::string id) { request_of_this_thread() = std::move(id); }

RequestScope::RequestScope(std::string id)
    : before_(std::exchange(request_of_this_thread(), std::move(id))) {}

RequestScope::~RequestScope() { request_of_this_thread() = std::move(before_); }

}  // namespace pfs
