#include "cli/table.h"

#include <cstdio>
#include <functional>
#include <string>

#include <catch2/catch.hpp>

namespace pfs::cli {
namespace {

std::string printed(Terminal terminal, std::vector<std::string> header,
                    const std::function<void(Table&)>& fill) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  {
    Table table(out, terminal, std::move(header));
    fill(table);
  }
  std::fclose(out);
  std::string result(text, size);
  std::free(text);
  return result;
}

TEST_CASE("columns are as wide as their widest cell and one space apart", "[cli][table]") {
  CHECK(printed({}, {"NAME", "SIZE"},
                [](Table& table) {
                  table.add({Cell("longer"), Cell("1B")});
                  table.add({Cell("é"), Cell("20B")});
                }) ==
        "NAME   SIZE\n"
        "longer 1B\n"
        "é      20B\n");
}

TEST_CASE("an empty table is its header", "[cli][table]") {
  CHECK(printed({}, {"NAME", "SIZE"}, [](Table&) {}) == "NAME SIZE\n");
}

TEST_CASE("control characters in a cell are made visible", "[cli][table]") {
  CHECK(printed({}, {"NAME"}, [](Table& table) { table.add({Cell("a\nb\x1b[31m")}); }) ==
        "NAME\na\\x0ab\\x1b[31m\n");
}

TEST_CASE("colours and repeated headers are for terminals only", "[cli][table]") {
  const auto fill = [](Table& table) {
    for (int i = 0; i < 51; ++i) table.add({Cell("success", Colour::kGreen)});
  };
  const auto headers_in = [](const std::string& text) {
    std::size_t count = 0;
    for (auto at = text.find("STATE"); at != text.npos; at = text.find("STATE", at + 1)) ++count;
    return count;
  };
  const auto plain = printed({}, {"STATE"}, fill);
  CHECK(headers_in(plain) == 1);
  CHECK(plain.find('\x1b') == plain.npos);
  const auto terminal = printed({true, true}, {"STATE"}, fill);
  CHECK(headers_in(terminal) == 2);
  CHECK(terminal.find("\x1b[32msuccess\x1b[0m\n") != terminal.npos);
}

}  // namespace
}  // namespace pfs::cli
