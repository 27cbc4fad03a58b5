#include "api/internal/spec_stream.h"

#include <catch2/catch.hpp>

namespace pfs::api {
namespace {

std::vector<std::string> split(const std::string& text) {
  auto specs = split_specs(text);
  return specs ? *specs : std::vector<std::string>{"error"};
}

TEST_CASE("specs come one after another, or in an array", "[api][spec_stream]") {
  CHECK(split("{}") == std::vector<std::string>{"{}"});
  CHECK(split(" {\"a\": {\"b\": 1}}\n{\"c\": []}\n") ==
        std::vector<std::string>{"{\"a\": {\"b\": 1}}", "{\"c\": []}"});
  CHECK(split("[{}, {}]") == std::vector<std::string>{"{}", "{}"});
}

TEST_CASE("braces and quotes in strings end nothing", "[api][spec_stream]") {
  const std::string spec = R"({"cmd": "awk '{print \"}\"}' \\"})";
  CHECK(split(spec + spec) == std::vector<std::string>{spec, spec});
}

TEST_CASE("a text that is no row of objects is refused", "[api][spec_stream]") {
  CHECK(split("") == std::vector<std::string>{"error"});
  CHECK(split(" \n") == std::vector<std::string>{"error"});
  CHECK(split("{\"a\": 1") == std::vector<std::string>{"error"});
  CHECK(split("{\"a\": \"}") == std::vector<std::string>{"error"});
  CHECK(split("{} x {}") == std::vector<std::string>{"error"});
  CHECK(split("pipeline:\n  name: edges\n") == std::vector<std::string>{"error"});
}

TEST_CASE("where a text of several breaks off, the document is said", "[api][spec_stream]") {
  const auto refusal = [](const std::string& text) {
    const auto specs = split_specs(text);
    REQUIRE_FALSE(specs);
    CHECK(specs.error().code == Code::kInvalid);
    return specs.error().message;
  };
  CHECK(refusal("{} {\"a\": {}} {\"b\": {}").starts_with("document 3: pipeline spec: "));
  CHECK(refusal("[{}, x]").starts_with("document 2: pipeline spec: "));
  CHECK(refusal("{\"a\": 1").starts_with("pipeline spec: "));
}

}  // namespace
}  // namespace pfs::api
