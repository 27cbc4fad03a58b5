#include "cli/table.h"

#include <algorithm>

#include "base/names.h"

namespace pfs::cli {
namespace {

constexpr std::size_t kBlock = 1000;
constexpr std::size_t kHeaderEvery = 50;

/// Columns that valid UTF-8 takes, every character counted as one.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

const char* escape_of(Colour colour) {
  switch (colour) {
    case Colour::kNone: return "";
    case Colour::kGreen: return "\x1b[32m";
    case Colour::kYellow: return "\x1b[33m";
    case Colour::kRed: return "\x1b[31m";
  }
  return "";
}

}  // namespace

Table::Table(std::FILE* out, Terminal terminal, std::vector<std::string> header)
    : out_(out), terminal_(terminal) {
  for (auto& name : header) {
    widths_.push_back(width_of(name));
    header_.emplace_back(std::move(name));
  }
}

void Table::add(std::vector<Cell> row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i].text = printable(row[i].text);  // a name may hold newlines and escape sequences
    widths_[i] = std::max(widths_[i], width_of(row[i].text));
  }
  rows_.push_back(std::move(row));
  if (rows_.size() == kBlock) flush();
}

Table::~Table() {
  if (printed_ == 0 && rows_.empty()) print(header_);  // an empty list is a list, too
  flush();
}

void Table::flush() {
  for (const auto& row : rows_) {
    if (printed_ == 0 || (terminal_.interactive && printed_ % kHeaderEvery == 0)) print(header_);
    print(row);
    ++printed_;
  }
  rows_.clear();
}

void Table::print(const std::vector<Cell>& row) const {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const bool coloured = terminal_.colour && row[i].colour != Colour::kNone;
    if (coloured) line += escape_of(row[i].colour);
    line += row[i].text;
    if (coloured) line += "\x1b[0m";
    if (i + 1 < row.size()) line.append(widths_[i] - width_of(row[i].text) + 1, ' ');
  }
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), out_);
}

}  // namespace pfs::cli
