#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace pfs::bench {

/// Seconds that `work` takes.
template <class Work>
double seconds(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// One row of a benchmark's table: `row | ours | compared with | ratio | target | ok/short`. A target of 0 is none.
inline void print_row(const std::string& name, const std::string& ours, const std::string& compared, double ratio,
                      double target = 0, bool at_most = true) {
  const bool ok = target == 0 || (at_most ? ratio <= target : ratio >= target);
  std::printf("%-44s | %-18s | %-42s | %8.3f | %-8s | %s\n", name.c_str(), ours.c_str(), compared.c_str(), ratio,
              target == 0 ? "-" : (std::string(at_most ? "<= " : ">= ") + std::to_string(target).substr(0, 4)).c_str(),
              target == 0 ? "" : ok ? "ok" : "short");
  std::fflush(stdout);
}

inline void print_head() {
  std::printf("%-44s | %-18s | %-42s | %8s | %-8s |\n", "row", "ours", "compared with", "ratio", "target");
}

}  // namespace pfs::bench
