#include "base/fault.h"

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

namespace pfs {

namespace {

struct Plan {
  std::string name;
  std::string action;
  std::atomic<int> countdown{1};
};

Plan* read_plan() {
  const char* text = std::getenv("PFS_FAULT");
  if (text == nullptr || *text == '\0') return nullptr;
  static Plan plan;
  std::string_view rest = text;
  const auto first = rest.find(':');
  plan.name = rest.substr(0, first);
  if (first == rest.npos) return nullptr;
  rest.remove_prefix(first + 1);
  const auto second = rest.find(':');
  plan.action = rest.substr(0, second);
  if (second != rest.npos) {
    int count = 1;
    std::from_chars(rest.data() + second + 1, rest.data() + rest.size(), count);
    plan.countdown = count;
  }
  return &plan;
}

}  // namespace

Result<void> fault_point(std::string_view name) {
  static Plan* const plan = read_plan();
  if (plan == nullptr || plan->name != name || plan->countdown.fetch_sub(1) != 1) return {};
  if (plan->action == "kill") ::kill(::getpid(), SIGKILL);
  if (plan->action == "pause") {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    return {};
  }
  const Code code = plan->action == "nospace" ? Code::kNoSpace : Code::kIo;
  return Error{code, "fault point " + std::string(name)};
}

}  // namespace pfs
