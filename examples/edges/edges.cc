// edges INPUT OUTPUT: finds the edges in every picture below the directory INPUT and writes them to OUTPUT, each as a grey
// PNG of the same stem. What runs in the container of the pipeline `edges`.

#include <cstdio>
#include <exception>
#include <filesystem>

#include "canny.h"
#include "picture.h"

namespace {

constexpr int kLow = 100;
constexpr int kHigh = 200;

void run(const std::filesystem::path& input, const std::filesystem::path& output) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(input)) {
    if (!entry.is_regular_file()) continue;
    const std::filesystem::path made = output / (entry.path().stem().string() + ".png");
    const Picture picture = read_picture(entry.path().string());
    write_png(made.string(), find_edges(picture, kLow, kHigh));
    std::printf("%s: %d x %d\n", made.c_str(), picture.width, picture.height);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: edges INPUT OUTPUT\n");
    return 2;
  }
  try {
    run(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "edges: %s\n", e.what());
    return 1;
  }
}
