// One row of the store's benchmark in a process of its own, so that its memory is its own.
// Usage: store_rows ROW [name=value ...]   prints name=value lines; store_bench.py makes tables of them
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

#include "rows.h"

namespace {

// VmHWM and not ru_maxrss: the latter begins with what the parent had when it started us.
double peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::strtod(line.c_str() + 6, nullptr) * 1024;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace pfs::bench;
  Rows rows;
  add_source_rows(rows);
  add_limit_rows(rows);
  add_content_rows(rows);
  add_tree_rows(rows);
  const auto row = argc > 1 ? rows.find(argv[1]) : rows.end();
  if (row == rows.end()) {
    fmt::print(stderr, "usage: store_rows ROW [name=value ...]; rows:");
    for (const auto& [name, ignored] : rows) fmt::print(stderr, " {}", name);
    fmt::print(stderr, "\n");
    return 2;
  }
  row->second(Arguments(argc, argv, 2));
  report("peak_rss_bytes", peak_rss_bytes());
  return 0;
}
