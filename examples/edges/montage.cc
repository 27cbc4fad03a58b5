// montage OUTPUT PICTURE...: one picture of many, side by side in rows, each in a frame of the same size with a shadow, in
// the order in which they are named. What runs in the container of the pipeline `montage`.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "picture.h"

namespace {

constexpr int kFrame = 300;   // a picture is made to fit, and never larger than it is
constexpr int kMargin = 4;    // around each frame
constexpr int kShadow = 4;    // to the right of a picture and below
constexpr int kTile = kFrame + 2 * kMargin + kShadow;
constexpr std::uint8_t kBackground = 206;  // a sky without its blue
constexpr std::uint8_t kDark = 96;

/// Each pixel is the mean of those that it stands for.
Picture fit(const Picture& picture) {
  const double scale = std::max({1.0, static_cast<double>(picture.width) / kFrame,
                                 static_cast<double>(picture.height) / kFrame});
  Picture small{std::max(1, static_cast<int>(picture.width / scale)), std::max(1, static_cast<int>(picture.height / scale)), {}};
  small.pixels.resize(static_cast<std::size_t>(small.width) * static_cast<std::size_t>(small.height));
  for (int y = 0; y < small.height; ++y) {
    const int top = y * picture.height / small.height;
    const int bottom = std::max(top + 1, (y + 1) * picture.height / small.height);
    for (int x = 0; x < small.width; ++x) {
      const int left = x * picture.width / small.width;
      const int right = std::max(left + 1, (x + 1) * picture.width / small.width);
      long sum = 0;
      for (int v = top; v < bottom; ++v) {
        for (int u = left; u < right; ++u) sum += picture.at(u, v);
      }
      small.at(x, y) = static_cast<std::uint8_t>(sum / (long{bottom - top} * (right - left)));
    }
  }
  return small;
}

void place(const Picture& picture, int left, int top, Picture& sheet) {
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) sheet.at(left + x + kShadow, top + y + kShadow) = kDark;
  }
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) sheet.at(left + x, top + y) = picture.at(x, y);
  }
}

Picture montage(const std::vector<std::string>& paths) {
  const int count = static_cast<int>(paths.size());
  const int columns = static_cast<int>(std::ceil(std::sqrt(count)));
  const int rows = (count + columns - 1) / columns;
  Picture sheet{columns * kTile, rows * kTile, {}};
  sheet.pixels.assign(static_cast<std::size_t>(sheet.width) * static_cast<std::size_t>(sheet.height), kBackground);
  for (int i = 0; i < count; ++i) {
    const Picture small = fit(read_picture(paths[static_cast<std::size_t>(i)]));
    const int left = i % columns * kTile + kMargin + (kFrame - small.width) / 2;
    const int top = i / columns * kTile + kMargin + (kFrame - small.height) / 2;
    place(small, left, top, sheet);
  }
  return sheet;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: montage OUTPUT PICTURE...\n");
    return 2;
  }
  try {
    const Picture sheet = montage({argv + 2, argv + argc});
    write_png(argv[1], sheet);
    std::printf("%s: %d pictures, %d x %d\n", argv[1], argc - 2, sheet.width, sheet.height);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "montage: %s\n", e.what());
    return 1;
  }
}
