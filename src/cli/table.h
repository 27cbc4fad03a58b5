#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace pfs::cli {

enum class Colour { kNone, kGreen, kYellow, kRed };

struct Cell {
  // NOLINTNEXTLINE(google-explicit-constructor): a row is a list of texts
  Cell(std::string cell_text, Colour cell_colour = Colour::kNone)
      : text(std::move(cell_text)), colour(cell_colour) {}

  std::string text;
  Colour colour;
};

/// What stdout is.
struct Terminal {
  bool interactive = false;  ///< a person is looking
  bool colour = false;
  bool pager = false;  ///< a list may be shown page by page; not for one that goes on as things happen
};

/// A table in columns, padded with single spaces. Rows are printed in blocks, so that a listing of
/// any length takes little memory; columns never get narrower from one block to the next. On a
/// terminal the header comes again every fifty rows.
class Table {
 public:
  Table(std::FILE* out, Terminal terminal, std::vector<std::string> header);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  /// As many cells as the header has. Shape: text is made printable here.
  void add(std::vector<Cell> row);
  /// Prints the rows that it has kept for a block; the columns of later rows are no narrower.
  void flush();

 private:
  void print(const std::vector<Cell>& row) const;

  std::FILE* out_;
  const Terminal terminal_;
  std::vector<Cell> header_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<Cell>> rows_;
  std::size_t printed_ = 0;  // rows
};

}  // namespace pfs::cli
