#include "api/log_format.h"

#include <string_view>

#include <spdlog/pattern_formatter.h>

#include "base/request_id.h"

namespace pfs::api {
namespace {

/// ` request ID:`, or nothing. A line is formatted on the thread that logs it.
class RequestFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm&,
              spdlog::memory_buf_t& line) override {
    const auto id = current_request();
    if (id.empty()) return;
    constexpr std::string_view kBefore = " request ";
    line.append(kBefore.data(), kBefore.data() + kBefore.size());
    line.append(id.data(), id.data() + id.size());
    line.push_back(':');
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<RequestFlag>();
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> log_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<RequestFlag>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%e %l [%t]%* %v");
  return formatter;
}

}  // namespace pfs::api
