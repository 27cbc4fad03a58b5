#include <catch2/catch.hpp>

#include <future>
#include <string>

#include "base/request_id.h"
#include "store/pack/work_pool.h"

namespace pfs::test {
namespace {

std::string request_in_a_task(store::WorkPool& pool) {
  std::promise<std::string> seen;
  pool.submit(store::WorkPool::Turn::kSoon, [&seen] { seen.set_value(std::string(current_request())); });
  return seen.get_future().get();
}

TEST_CASE("a pool's task logs under the request of who submits it, and of nobody else", "[store]") {
  store::WorkPool pool(1);
  CHECK(request_in_a_task(pool).empty());
  {
    const RequestScope scope("abc");
    CHECK(request_in_a_task(pool) == "abc");
    const RequestScope inner("def");
    CHECK(request_in_a_task(pool) == "def");
  }
  CHECK(current_request().empty());
  CHECK(request_in_a_task(pool).empty());
}

}  // namespace
}  // namespace pfs::test
