#include "shop/csv_rows.h"

#include <algorithm>

namespace tribune::shop {
namespace {

/// Whether one of the dangerous characters follows any number of apostrophes.
bool is_dangerous_in_spreadsheets(std::string_view text) {
  const auto begin = text.find_first_not_of('\'');
  return begin != std::string_view::npos && std::string_view("=+-@\t\r\n").find(text[begin]) != std::string_view::npos;
}

}  // namespace

std::optional<CsvRow> CsvRows::next() {
  if (at_ >= text_.size()) return std::nullopt;
  CsvRow row;
  row.offset = at_;
  while (true) {
    auto cell = text_.substr(at_).starts_with('"') ? quoted_cell(row) : plain_cell(row);
    if (++row.cell_count <= most_cells_) row.cells.push_back(std::move(cell));
    if (!row.wrong.empty()) at_ = std::min(text_.find('\n', at_), text_.size());
    if (at_ >= text_.size()) return row;
    if (text_[at_++] == '\n') return row;
  }
}

/// Ends at a comma, a line feed or the end of the text, as quoted_cell() does.
std::string CsvRows::plain_cell(CsvRow& row) {
  const auto end = std::min(text_.find_first_of(",\n\"", at_), text_.size());
  auto cell = text_.substr(at_, end - at_);
  at_ = end;
  if (end < text_.size() && text_[end] == '"') row.wrong = "has a quote inside a cell that does not begin with one";
  if (cell.ends_with('\r') && (end == text_.size() || text_[end] == '\n')) cell.remove_suffix(1);
  return std::string(cell);
}

std::string CsvRows::quoted_cell(CsvRow& row) {
  std::string cell;
  ++at_;
  while (true) {
    const auto end = text_.find_first_of("\"\r", at_);
    if (end == std::string_view::npos) {
      at_ = text_.size();
      row.wrong = "has a quote that is not closed";
      return cell;
    }
    cell.append(text_, at_, end - at_);
    at_ = end + 1;
    const bool goes_on = at_ < text_.size();
    if (text_[end] == '\r') {
      if (!goes_on || text_[at_] != '\n') cell += '\r';
    } else if (goes_on && text_[at_] == '"') {
      cell += '"';
      ++at_;
    } else {
      break;
    }
  }
  if (const auto rest = text_.substr(at_); rest.starts_with("\r\n") || rest == "\r") ++at_;
  if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n')
    row.wrong = "has a quoted cell that is followed by something else than a comma";
  return cell;
}

std::string csv_cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::string for_spreadsheets(std::string_view text) {
  return (is_dangerous_in_spreadsheets(text) ? "'" : "") + std::string(text);
}

std::string not_for_spreadsheets(std::string_view text) {
  return std::string(text.starts_with('\'') && is_dangerous_in_spreadsheets(text) ? text.substr(1) : text);
}

}  // namespace tribune::shop
