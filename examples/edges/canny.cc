#include "canny.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace {

/// A pixel; beyond the border the nearest one.
int pixel(const Picture& picture, int x, int y) {
  return picture.at(std::clamp(x, 0, picture.width - 1), std::clamp(y, 0, picture.height - 1));
}

/// Weights 1 2 1 in both directions.
Picture smooth(const Picture& picture) {
  Picture result = picture;
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      int sum = 0;
      for (int dy = -1; dy <= 1; ++dy) {
        for (int dx = -1; dx <= 1; ++dx) sum += (2 - std::abs(dx)) * (2 - std::abs(dy)) * pixel(picture, x + dx, y + dy);
      }
      result.at(x, y) = static_cast<std::uint8_t>(sum / 16);
    }
  }
  return result;
}

struct Gradient {
  int dx = 0;
  int dy = 0;
  int strength = 0;
};

class Gradients {
 public:
  explicit Gradients(const Picture& picture) : width_(picture.width), height_(picture.height) {
    values_.resize(picture.pixels.size());
    for (int y = 0; y < height_; ++y) {
      for (int x = 0; x < width_; ++x) values_[picture.index(x, y)] = sobel(picture, x, y);
    }
  }

  /// Beyond the border there is none.
  Gradient at(int x, int y) const {
    if (x < 0 || y < 0 || x >= width_ || y >= height_) return {};
    return values_[static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x)];
  }

  /// Whether the gradient is no weaker than its two neighbours along its own direction.
  bool is_crest(int x, int y) const {
    const Gradient here = at(x, y);
    const auto [dx, dy] = direction(here);
    return here.strength > at(x - dx, y - dy).strength && here.strength >= at(x + dx, y + dy).strength;
  }

 private:
  static Gradient sobel(const Picture& p, int x, int y) {
    const int dx = pixel(p, x + 1, y - 1) + 2 * pixel(p, x + 1, y) + pixel(p, x + 1, y + 1) - pixel(p, x - 1, y - 1) -
                   2 * pixel(p, x - 1, y) - pixel(p, x - 1, y + 1);
    const int dy = pixel(p, x - 1, y + 1) + 2 * pixel(p, x, y + 1) + pixel(p, x + 1, y + 1) - pixel(p, x - 1, y - 1) -
                   2 * pixel(p, x, y - 1) - pixel(p, x + 1, y - 1);
    return {dx, dy, std::abs(dx) + std::abs(dy)};
  }

  /// The step to the next pixel along a gradient: one of eight. 2/5 is about the tangent of 22.5 degrees.
  static std::pair<int, int> direction(const Gradient& gradient) {
    const int ax = std::abs(gradient.dx);
    const int ay = std::abs(gradient.dy);
    const int sx = gradient.dx < 0 ? -1 : 1;
    const int sy = gradient.dy < 0 ? -1 : 1;
    if (5 * ay < 2 * ax) return {sx, 0};
    if (5 * ax < 2 * ay) return {0, sy};
    return {sx, sy};
  }

  int width_;
  int height_;
  std::vector<Gradient> values_;
};

}  // namespace

Picture find_edges(const Picture& picture, int low, int high) {
  const Gradients gradients(smooth(picture));
  Picture edges{picture.width, picture.height, std::vector<std::uint8_t>(picture.pixels.size(), 0)};
  std::vector<std::pair<int, int>> grown_from;
  const auto mark = [&](int x, int y) {
    edges.at(x, y) = 255;
    grown_from.emplace_back(x, y);
  };
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      if (gradients.at(x, y).strength > high && gradients.is_crest(x, y)) mark(x, y);
    }
  }
  while (!grown_from.empty()) {
    const auto [x, y] = grown_from.back();
    grown_from.pop_back();
    for (int ny = std::max(0, y - 1); ny <= std::min(picture.height - 1, y + 1); ++ny) {
      for (int nx = std::max(0, x - 1); nx <= std::min(picture.width - 1, x + 1); ++nx) {
        if (edges.at(nx, ny) == 0 && gradients.at(nx, ny).strength > low && gradients.is_crest(nx, ny)) mark(nx, ny);
      }
    }
  }
  return edges;
}
