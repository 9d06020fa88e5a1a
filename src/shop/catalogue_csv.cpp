#include "shop/catalogue_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>

#include "shop/csv_rows.h"

namespace tribune::shop {
namespace {

enum class Column {
  id,
  kind,
  title_en,
  title_ru,
  description_en,
  description_ru,
  picture,
  amount,
  currency,
  channels,
  valid_for,
  valid_from,
  valid_until,
  options,
  stock,
  is_on_sale,
};

/// In the order of Column, in which they are written.
constexpr std::array<std::string_view, 16> kColumnNames{
    "id",       "kind",     "title_en",  "title_ru",   "description_en", "description_ru", "picture", "amount",
    "currency", "channels", "valid_for", "valid_from", "valid_until",    "options",        "stock",   "is_on_sale"};
constexpr std::array kRequiredColumns{Column::id, Column::kind, Column::title_en, Column::amount, Column::currency};

constexpr std::size_t kMaxCells = 64;  // of a row that are kept

std::string_view name_of(Column column) { return kColumnNames[static_cast<std::size_t>(column)]; }

// Options: "red:Red:100|blue:Blue:".

std::string escaped_part(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == ':' || c == '|' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string options_cell(const std::vector<ProductOption>& options) {
  std::string cell;
  for (const auto& option : options) {
    if (!cell.empty()) cell += '|';
    cell += escaped_part(option.id) + ':' + escaped_part(option.title.en) + ':';
    if (option.stock) cell += std::to_string(*option.stock);
  }
  return cell;
}

/// The parts of each option; nullopt when a \ stands before any other character than : | and \, or when there are more
/// than kMaxOptions.
std::optional<std::vector<std::vector<std::string>>> split_options(std::string_view cell) {
  std::vector<std::vector<std::string>> options{{""}};
  for (std::size_t i = 0; i < cell.size(); ++i) {
    if (cell[i] == '|') {
      if (options.size() == kMaxOptions) return std::nullopt;
      options.push_back({""});
    } else if (cell[i] == ':') {
      if (options.back().size() == 3) return std::nullopt;
      options.back().emplace_back();
    } else {
      if (cell[i] == '\\' && (++i == cell.size() || std::string_view(":|\\").find(cell[i]) == std::string_view::npos))
        return std::nullopt;
      options.back().back() += cell[i];
    }
  }
  return options;
}

std::optional<bool> parse_spreadsheet_flag(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (lower == "true") return true;
  return lower == "false" ? std::optional<bool>(false) : std::nullopt;
}

/// A text of wrong_product() with the names of columns in place of those of members.
std::string with_column_names(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Column>, 6> kMembers{{{"title.en", Column::title_en},
                                                                         {"title.ru", Column::title_ru},
                                                                         {"description.en", Column::description_en},
                                                                         {"description.ru", Column::description_ru},
                                                                         {"price.amount", Column::amount},
                                                                         {"price.currency", Column::currency}}};
  std::string named;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    const auto* member = std::ranges::find(kMembers, word, [](const auto& m) { return m.first; });
    named += member == kMembers.end() ? word : name_of(member->second);
    text.remove_prefix(word.size());
    if (text.empty()) break;
    named += ' ';
    text.remove_prefix(1);
  }
  return named;
}

/// What the first line says: where the cell of each column stands.
struct CsvHeader {
  std::array<std::optional<std::size_t>, kColumnNames.size()> places;
  std::size_t columns = 0;
};

CsvHeader csv_header_of(const CsvRow& row, ImportErrorList& errors) {
  CsvHeader header;
  header.columns = row.cell_count;
  if (!row.wrong.empty()) {
    errors.add(row.offset, "the first line " + row.wrong);
    return header;
  }
  if (row.cell_count == 1 && row.cells[0].find_first_of(";\t") != std::string::npos) {
    errors.add(row.offset, "the first line has no comma: save the file with commas between the columns");
    return header;
  }
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const auto* name = std::ranges::find(kColumnNames, std::string_view(row.cells[i]));
    if (name == kColumnNames.end()) {
      errors.add(row.offset, fmt::format("the column {} is unknown: the columns are {}", quoted_extract(row.cells[i]),
                                         fmt::join(kColumnNames, ", ")));
      continue;
    }
    auto& place = header.places[static_cast<std::size_t>(name - kColumnNames.begin())];
    if (place) errors.add(row.offset, fmt::format("the column {} occurs twice", *name));
    place = i;
  }
  if (row.cell_count > row.cells.size()) errors.add(row.offset, fmt::format("{} columns are too many", row.cell_count));
  for (const auto column : kRequiredColumns)
    if (!header.places[static_cast<std::size_t>(column)])
      errors.add(row.offset, fmt::format("the column {} is missing", name_of(column)));
  return header;
}

/// One row as a product. What is wrong with a cell is added to the errors, and the member then has its default.
class CsvProduct {
 public:
  CsvProduct(const CsvRow& row, const CsvHeader& header, ImportErrorList& errors)
      : row_(row), header_(header), errors_(errors) {
    const auto id = cell(Column::id);
    prefix_ = id.empty() ? "" : fmt::format("product {}: ", quoted_extract(id));
  }

  std::string_view cell(Column column) const {
    const auto place = header_.places[static_cast<std::size_t>(column)];
    return place && *place < row_.cells.size() ? std::string_view(row_.cells[*place]) : std::string_view();
  }
  void fail(std::string_view text) const { errors_.add(row_.offset, fmt::format("{}{}", prefix_, text)); }
  Product read() const;

 private:
  ViewerText viewer_text(Column en, Column ru) const {
    return {not_for_spreadsheets(cell(en)), not_for_spreadsheets(cell(ru))};
  }
  /// nullopt for an empty cell, and with an error for a wrong one.
  template <class Parse>
  auto parsed(Column column, std::string_view allowed, Parse parse) const -> decltype(parse(std::string_view())) {
    const auto text = cell(column);
    if (text.empty()) return std::nullopt;
    auto value = parse(text);
    if (!value) fail(fmt::format("{} must be {}, not {}", name_of(column), allowed, quoted_extract(text)));
    return value;
  }
  std::optional<std::int64_t> whole(std::string_view text, std::string_view name) const;
  std::optional<base::WallTime> time(Column column) const {
    return parsed(column, "a time such as 2026-06-01T20:00:00Z", parse_catalogue_time);
  }
  void read_channels(Grant&) const;
  std::vector<ProductOption> options() const;
  void check(const Product&) const;

  const CsvRow& row_;
  const CsvHeader& header_;
  ImportErrorList& errors_;
  std::string prefix_;
};

std::optional<std::int64_t> CsvProduct::whole(std::string_view text, std::string_view name) const {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec == std::errc{} && read.ptr == end) return number;
  const bool is_large = read.ec == std::errc::result_out_of_range && read.ptr == end;
  fail(fmt::format("{} must be a whole number{}, not {}", name, is_large ? " of 64 bits" : "", quoted_extract(text)));
  return std::nullopt;
}

void CsvProduct::read_channels(Grant& grant) const {
  auto text = cell(Column::channels);
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) break;
    const auto id = text.substr(0, text.find(' '));
    text.remove_prefix(id.size());
    grant.channels.emplace_back(id);
    if (grant.channels.size() > kMaxGrantedChannels) break;  // which wrong_product() reports
  }
  if (grant.channels.size() != 1 || grant.channels[0] != "all") return;
  grant.channels.clear();
  grant.all_channels = true;
}

std::vector<ProductOption> CsvProduct::options() const {
  std::vector<ProductOption> options;
  const auto split = parsed(
      Column::options, fmt::format("at most {} times id:title:stock with | between them", kMaxOptions), split_options);
  if (!split) return options;
  for (std::size_t i = 0; i < split->size(); ++i) {
    const auto& parts = (*split)[i];
    if (parts.size() != 3) {
      fail(fmt::format("options[{}] must be id:title:stock, where the stock may be empty", i));
      continue;
    }
    ProductOption option;
    option.id = parts[0];
    option.title.en = parts[1];
    if (!parts[2].empty()) option.stock = whole(parts[2], fmt::format("options[{}].stock", i));
    options.push_back(std::move(option));
  }
  return options;
}

void CsvProduct::check(const Product& product) const {
  if (const auto wrong = wrong_product(product); !wrong.empty()) fail(with_column_names(wrong));
}

Product CsvProduct::read() const {
  const auto errors_before = errors_.count();
  Product product;
  product.id = std::string(cell(Column::id));
  const auto kind = parse_product_kind(cell(Column::kind));
  if (!kind)
    fail(fmt::format("kind must be channel, bundle, pass or goods, not {}", quoted_extract(cell(Column::kind))));
  product.kind = kind.value_or(ProductKind::goods);
  product.title = viewer_text(Column::title_en, Column::title_ru);
  product.description = viewer_text(Column::description_en, Column::description_ru);
  product.picture = not_for_spreadsheets(cell(Column::picture));
  product.price.amount = whole(cell(Column::amount), name_of(Column::amount)).value_or(0);
  product.price.currency = std::string(cell(Column::currency));
  read_channels(product.grant);
  product.grant.valid_for = parsed(Column::valid_for, "a duration such as 30d, 12h, 90min or 45s", parse_validity);
  product.grant.valid_from = time(Column::valid_from);
  product.grant.valid_until = time(Column::valid_until);
  product.options = options();
  const auto stock = cell(Column::stock);
  if (!stock.empty()) product.stock = whole(stock, name_of(Column::stock));
  product.is_on_sale = parsed(Column::is_on_sale, "true or false", parse_spreadsheet_flag).value_or(true);
  if (errors_.count() == errors_before) check(product);
  return product;
}

void read_csv_products(CsvRows& rows, const CsvHeader& header, Catalogue& catalogue, ImportErrorList& errors) {
  std::unordered_set<std::string> ids;
  std::size_t count = 0;
  while (const auto row = rows.next()) {
    const bool is_complete = row->wrong.empty() && row->cell_count == row->cells.size();
    if (is_complete && std::ranges::all_of(row->cells, &std::string::empty)) continue;
    if (++count > kMaxProducts) {
      errors.add(row->offset, fmt::format("the file must have at most {} products", kMaxProducts));
      return;
    }
    const CsvProduct reader(*row, header, errors);
    if (!row->wrong.empty()) {
      reader.fail("the row " + row->wrong);
      continue;
    }
    if (row->cell_count != header.columns) {
      reader.fail(
          fmt::format("the row has {} cells, but the first line names {} columns", row->cell_count, header.columns));
      continue;
    }
    catalogue.products.push_back(reader.read());
    const auto& id = catalogue.products.back().id;
    if (!id.empty() && !ids.insert(id).second) reader.fail("id occurs twice");
  }
  std::ranges::sort(catalogue.products, {}, &Product::id);
}

}  // namespace

std::string to_csv(const std::vector<Product>& products) {
  auto csv = fmt::format("\xef\xbb\xbf{}\r\n", fmt::join(kColumnNames, ","));
  const auto time_text = [](const auto& time) { return time ? catalogue_time_text(*time) : std::string(); };
  for (const auto& product : products) {
    const auto& grant = product.grant;
    const std::array<std::string, kColumnNames.size()> texts{
        product.id,
        std::string(to_string(product.kind)),
        product.title.en,
        product.title.ru,
        product.description.en,
        product.description.ru,
        product.picture,
        std::to_string(product.price.amount),
        product.price.currency,
        grant.all_channels ? "all" : fmt::format("{}", fmt::join(grant.channels, " ")),
        grant.valid_for ? validity_text(*grant.valid_for) : "",
        time_text(grant.valid_from),
        time_text(grant.valid_until),
        options_cell(product.options),
        product.stock ? std::to_string(*product.stock) : "",
        product.is_on_sale ? "true" : "false",
    };
    for (std::size_t i = 0; i < texts.size(); ++i) csv += (i == 0 ? "" : ",") + csv_cell(for_spreadsheets(texts[i]));
    csv += "\r\n";
  }
  return csv;
}

CatalogueRead read_catalogue_csv(std::string_view text) {
  ImportErrorList errors;
  Catalogue catalogue;
  text = without_byte_order_mark(text);
  CsvRows rows(text, kMaxCells);
  if (text.size() > kMaxImportBytes) {
    errors.add(0, fmt::format("the file must have at most {} bytes", kMaxImportBytes));
  } else if (const auto first = rows.next()) {
    const auto header = csv_header_of(*first, errors);
    if (errors.count() == 0) read_csv_products(rows, header, catalogue, errors);
  } else {
    errors.add(0, "the file is empty: its first line must name the columns");
  }
  if (errors.count() > 0) return tl::unexpected(std::move(errors).with_lines(text));
  return catalogue;
}

}  // namespace tribune::shop
