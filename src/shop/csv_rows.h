#pragma once
// The rows and cells of a text of comma-separated values (RFC 4180). It knows nothing of what they mean.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tribune::shop {

struct CsvRow {
  std::size_t offset = 0;          // where it begins in the text
  std::vector<std::string> cells;  // without quotes; at most `most_cells` of them
  std::size_t cell_count = 0;
  std::string
      wrong;  // a breach of the syntax, after which the rest of the line was passed over; empty when there is none
};

/// Takes rows off a text, which must stay valid. Owned by its user.
class CsvRows {
 public:
  /// WHY most_cells: a line of commas must not become millions of cells.
  CsvRows(std::string_view text, std::size_t most_cells) : text_(text), most_cells_(most_cells) {}

  /// nullopt at the end.
  std::optional<CsvRow> next();

 private:
  std::string plain_cell(CsvRow&);
  std::string quoted_cell(CsvRow&);

  std::string_view text_;
  std::size_t most_cells_;
  std::size_t at_ = 0;
};

/// The cell, in quotes where it needs them.
std::string csv_cell(std::string_view text);

/// With an apostrophe in front of a text that spreadsheets take for a formula or cut: one that begins with = + - @, a
/// tab or a line break, also after apostrophes.
std::string for_spreadsheets(std::string_view text);
/// What for_spreadsheets() was given.
std::string not_for_spreadsheets(std::string_view text);

}  // namespace tribune::shop
