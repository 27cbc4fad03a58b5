#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// A grey picture: one byte a pixel, row by row.
struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  std::uint8_t at(int x, int y) const { return pixels[index(x, y)]; }
  std::uint8_t& at(int x, int y) { return pixels[index(x, y)]; }
  std::size_t index(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
  }
};

/// Reads a PNG or JPEG, in grey. Throws std::runtime_error with the file's name.
Picture read_picture(const std::string& path);

/// Writes a grey PNG. Throws std::runtime_error with the file's name.
void write_png(const std::string& path, const Picture& picture);
