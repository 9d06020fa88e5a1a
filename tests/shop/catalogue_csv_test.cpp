#include "shop/catalogue_csv.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "shop/csv_rows.h"
#include "shop/sample_products.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kRequired = "id,kind,title_en,amount,currency";

using CsvErrors = std::vector<ImportError>;

CsvErrors errors_of_csv(std::string_view text) {
  const auto read = read_catalogue_csv(text);
  return read ? CsvErrors() : read.error();
}

/// What is wrong with a plain row of goods that has one more column.
std::string error_of_cell(std::string_view column, std::string_view cell) {
  const auto errors = errors_of_csv(std::string(kRequired) + "," + std::string(column) + "\ntea,goods,Tea,250,EUR," +
                                    std::string(cell) + "\n");
  if (errors.empty()) return "";
  CHECK(errors.size() == 1);
  CHECK(errors[0].line == 2);
  CHECK(errors[0].text.starts_with("product \"tea\": "));
  return errors[0].text.substr(15);
}

/// What is wrong with a row of the required columns.
CsvErrors errors_of_row(std::string_view row) {
  return errors_of_csv(std::string(kRequired) + "\n" + std::string(row));
}

std::vector<Product> products_of_csv(std::string_view text) {
  auto read = read_catalogue_csv(text);
  if (read) return std::move(read->products);
  for (const auto& error : read.error()) MESSAGE(error.line, ": ", error.text);
  FAIL("the text was refused");
  return {};
}

/// All rows with | between their cells.
std::vector<std::string> rows_of(std::string_view text) {
  std::vector<std::string> rows;
  CsvRows reader(text, 4);
  while (const auto row = reader.next()) {
    std::string joined;
    for (const auto& cell : row->cells) joined += (joined.empty() ? "" : "|") + (cell.empty() ? "-" : cell);
    rows.push_back(row->wrong.empty() ? joined : "wrong");
  }
  return rows;
}

}  // namespace

TEST_CASE("rows and cells are those of RFC 4180") {
  using Rows = std::vector<std::string>;
  CHECK(rows_of("") == Rows{});
  CHECK(rows_of("a") == Rows{"a"});
  CHECK(rows_of("a,b\nc,d\n") == Rows{"a|b", "c|d"});
  CHECK(rows_of("a,b\r\nc,d\r\n") == Rows{"a|b", "c|d"});
  CHECK(rows_of("a,b\r\nc,d\r") == Rows{"a|b", "c|d"});
  CHECK(rows_of("a,\n,b") == Rows{"a|-", "-|b"});
  CHECK(rows_of("a,") == Rows{"a|-"});
  CHECK(rows_of("\n\r\na") == Rows{"-", "-", "a"});
  CHECK(rows_of("\"a,b\",\"c\"\"d\"\r\n\"\",\"\"\"\"") == Rows{"a,b|c\"d", "-|\""});
  CHECK(rows_of("\"a\nb\",\"c\r\nd\"\ne") == Rows{"a\nb|c\nd", "e"});
  CHECK(rows_of("\"a\rb\"\r\nc") == Rows{"a\rb", "c"});
  CHECK(rows_of("\"a\"\r") == Rows{"a"});
  CHECK(rows_of(" a , b ") == Rows{" a | b "});
  CHECK(rows_of("a,b,c,d,e,f") == Rows{"a|b|c|d"});
}

TEST_CASE("a row that breaks the syntax is passed over up to the end of its line") {
  using Rows = std::vector<std::string>;
  CHECK(rows_of("a\"b,c\nd") == Rows{"wrong", "d"});
  CHECK(rows_of(" \"a\"\nd") == Rows{"wrong", "d"});
  CHECK(rows_of("\"a\"b,c\nd") == Rows{"wrong", "d"});
  CHECK(rows_of("\"a\"\rb\nd") == Rows{"wrong", "d"});
  CHECK(rows_of("\"a\nb") == Rows{"wrong"});
  CHECK(rows_of("a\n\"") == Rows{"a", "wrong"});
  CHECK(rows_of("a\n\"\"\"") == Rows{"a", "wrong"});
  CHECK(rows_of("\"a\r") == Rows{"wrong"});
}

TEST_CASE("a cell is written in quotes where it needs them, and read back") {
  CHECK(csv_cell("a b;'") == "a b;'");
  CHECK(csv_cell("a,b") == "\"a,b\"");
  CHECK(csv_cell("a\"b") == "\"a\"\"b\"");
  for (const std::string text : {"", "a", ",", "\"", "\n", "\"\"", "a\"\n,b", "\r", "\r \n"}) {
    const auto written = csv_cell(text) + ",x";
    CsvRows reader(written, 9);
    const auto row = reader.next();
    REQUIRE(row.has_value());
    CHECK(row->cells == std::vector<std::string>{text, "x"});
  }
}

TEST_CASE("products as CSV are read back without the Russian titles of options") {
  auto tea = sample_goods();
  tea.id = "tea";
  tea.options.clear();
  tea.stock = 0;
  tea.title.en = "Tea, \"hot\"";
  tea.description.en = "\n\nLine\n";
  const std::vector<Product> products{sample_channel(), sample_bundle(), sample_goods(), sample_pass(), tea};
  const auto csv = to_csv(products);
  CHECK(products_of_csv(csv) == products);
  CHECK(read_catalogue_csv(csv)->channels.empty());

  auto russian = products;
  russian[2].options[0].title.ru = "Красный";
  CHECK(to_csv(russian) == csv);
  CHECK(products_of_csv(to_csv({})) == std::vector<Product>{});
}

TEST_CASE("products are written with all columns, CRLF and a byte order mark") {
  CHECK(
      to_csv({sample_pass(), sample_goods()}) ==
      "\xef\xbb\xbfid,kind,title_en,title_ru,description_en,description_ru,picture,amount,currency,channels,valid_for,"
      "valid_from,valid_until,options,stock,is_on_sale\r\n"
      "season,pass,Season pass,Сезонный абонемент,,,/pictures/season.jpg,4900,EUR,all,30d,,,,,true\r\n"
      "scarf,goods,Scarf,Шарф,\"Wool.\nMade for \"\"the final\"\", 2 m\",Шерсть,https://shop.example/scarf.jpg?size=2,"
      "1500,EUR,,,,,red:Red:100|blue:Blue\\: 50\\|50 \\\\ dyed:,,true\r\n");
}

TEST_CASE("columns stand in any order, optional ones may be absent, and empty rows are ignored") {
  const auto products = products_of_csv(
      "currency,amount,kind,channels,title_en,id,is_on_sale\r\n"
      "EUR,0,bundle,  main   second ,Two,two,FALSE\r\n"
      ",,,,,,\r\n"
      "\r\n"
      "EUR,100,channel,main,One,one,True");
  REQUIRE(products.size() == 2);
  CHECK(products[0].id == "one");
  CHECK(products[0].is_on_sale);
  CHECK(products[0].grant.channels == std::vector<std::string>{"main"});
  CHECK(products[1].id == "two");
  CHECK_FALSE(products[1].is_on_sale);
  CHECK(products[1].grant.channels == std::vector<std::string>{"main", "second"});
  CHECK(products[1].price == Money{0, "EUR"});
}

TEST_CASE("a cell that a spreadsheet would run as a formula is written with an apostrophe, and read without it") {
  auto product = sample_goods();
  for (const std::string text : {"=1+1", "+1", "-1", "@A1", "'=1", "''=1", "'Tis", "'", "''", "a=1", "'-"}) {
    product.title = {text, text};
    product.description = {text, text};
    const auto csv = to_csv({product});
    CHECK(csv.find(",=") == std::string::npos);
    CHECK(csv.find(",-") == std::string::npos);
    CHECK(products_of_csv(csv) == std::vector{product});
  }
  for (const std::string text : {"\n=1", "\n", "'\n"}) {
    product.title = {"Scarf", ""};
    product.description = {text, text};
    CHECK(products_of_csv(to_csv({product})) == std::vector{product});
  }
  product.title.en = "=HYPERLINK(\"http://h\",\"x\")";
  CHECK(to_csv({product}).find(",\"'=HYPERLINK(\"\"http://h\"\",\"\"x\"\")\",") != std::string::npos);
  product.title.en = "\t=1";
  CHECK(to_csv({product}).find(",'\t=1,") != std::string::npos);
  product.title.en = "\r=1";
  CHECK(to_csv({product}).find(",\"'\r=1\",") != std::string::npos);
  // What is invalid in a column is not made valid.
  CHECK(errors_of_row("'=a,goods,Tea,250,EUR").size() == 1);
  CHECK(errors_of_row("a,goods,Tea,'-250,EUR").size() == 1);
}

TEST_CASE("what is wrong with the first line is listed") {
  CHECK(errors_of_csv("") == CsvErrors{{1, "the file is empty: its first line must name the columns"}});
  CHECK(errors_of_csv("\xef\xbb\xbf") == CsvErrors{{1, "the file is empty: its first line must name the columns"}});
  CHECK(errors_of_csv("id;kind;title_en;amount;currency\na;b\n") ==
        CsvErrors{{1, "the first line has no comma: save the file with commas between the columns"}});
  CHECK(errors_of_csv("id,\"kind\n") == CsvErrors{{1, "the first line has a quote that is not closed"}});
  CHECK(errors_of_csv("id,kind,title_en,id,stock,stock\nwrong row") ==
        CsvErrors{{1, "the column id occurs twice"},
                  {1, "the column stock occurs twice"},
                  {1, "the column amount is missing"},
                  {1, "the column currency is missing"}});
  const auto errors = errors_of_csv(std::string(kRequired) + ",Colour,");
  REQUIRE(errors.size() == 2);
  CHECK(
      errors[0].text ==
      "the column \"Colour\" is unknown: the columns are id, kind, title_en, title_ru, description_en, description_ru, "
      "picture, amount, currency, channels, valid_for, valid_from, valid_until, options, stock, is_on_sale");
  CHECK(errors[1].text.starts_with("the column \"\" is unknown"));
  CHECK(errors_of_csv(std::string(8'000'000, ',')).size() <= 101);
}

TEST_CASE("each row that is wrong is listed with the line in which it begins") {
  const auto errors = errors_of_csv(
      "id,kind,title_en,amount,currency,description_en\r\n"
      "a,goods,A,1,EUR,\"one\r\ntwo\nthree\"\r\n"
      "b,goods,B,1,EUR\r\n"
      "\r\n"
      "c,goods,\"C\nC\",1,EUR,\r\n"
      "d,food,D,1.5,EUR,,\r\n"
      "e,food,E,1.5,EUR,\r\n"
      "f,goods,F,1,EUR,f\"f\r\n"
      "a,goods,A,-1,EUR,\r\n"
      ",goods,G,1,eur,\"x\n\"\r\n"
      "h,goods,,1,EUR,\"x\n\n");
  const CsvErrors expected{
      {5, "product \"b\": the row has 5 cells, but the first line names 6 columns"},
      {7, "product \"c\": title_en must not have control characters"},
      {9, "product \"d\": the row has 7 cells, but the first line names 6 columns"},
      {10, "product \"e\": kind must be channel, bundle, pass or goods, not \"food\""},
      {10, "product \"e\": amount must be a whole number, not \"1.5\""},
      {11, "product \"f\": the row has a quote inside a cell that does not begin with one"},
      {12, "product \"a\": amount must be 0 to 1000000000000000 minor units"},
      {12, "product \"a\": id occurs twice"},
      {13, "id must be 1 to 64 characters of a-z 0-9 . _ - and begin with a letter or digit"},
      {15, "product \"h\": the row has a quote that is not closed"},
  };
  CHECK(errors.size() == expected.size());
  for (std::size_t i = 0; i < std::min(errors.size(), expected.size()); ++i) {
    CHECK(errors[i].line == expected[i].line);
    CHECK(errors[i].text == expected[i].text);
  }
}

TEST_CASE("amounts are whole numbers") {
  for (const auto* amount : {"", "2.5", "1e3", "+1", " 1", "1 ", "0x1", "1,5"}) {
    const auto errors = errors_of_row("tea,goods,Tea,\"" + std::string(amount) + "\",EUR");
    CHECK(errors ==
          CsvErrors{{2, "product \"tea\": amount must be a whole number, not \"" + std::string(amount) + "\""}});
  }
  CHECK(errors_of_row("tea,goods,Tea,9223372036854775808,EUR") ==
        CsvErrors{{2, "product \"tea\": amount must be a whole number of 64 bits, not \"9223372036854775808\""}});
  for (const auto* amount :
       {"-1", "1000000000000001", "9007199254740993", "9223372036854775807", "-9223372036854775808"})
    CHECK(errors_of_row("tea,goods,Tea," + std::string(amount) + ",EUR") ==
          CsvErrors{{2, "product \"tea\": amount must be 0 to 1000000000000000 minor units"}});
}

TEST_CASE("a cell that is wrong is named with what is allowed") {
  for (const auto* column : {"title_ru", "description_en", "picture", "channels", "valid_for", "valid_from",
                             "valid_until", "options", "stock", "is_on_sale"})
    CHECK(error_of_cell(column, "") == "");
  CHECK(error_of_cell("title_ru", "\xed\xa0\x80") == "title_ru must be UTF-8");
  CHECK(error_of_cell("title_ru", std::string_view("a\0b", 3)) == "title_ru must not have control characters");
  CHECK(error_of_cell("description_ru", "Чай") == "description_en must not be empty when description_ru is not");
  CHECK(error_of_cell("description_en", std::string(7'000'000, 'x')) == "description_en must have at most 4096 bytes");
  CHECK(error_of_cell("picture", "//h/a") ==
        "picture must be an http:// or https:// URL, or a path that begins with one \"/\"");
  CHECK(error_of_cell("channels", "a") == "channels must be absent, because the kind is goods");
  CHECK(error_of_cell("channels", std::string(1'000'000, ' ')) == "");
  CHECK(error_of_cell("valid_for", "1w") == "valid_for must be a duration such as 30d, 12h, 90min or 45s, not \"1w\"");
  CHECK(error_of_cell("valid_from", "1.6.2026") ==
        "valid_from must be a time such as 2026-06-01T20:00:00Z, not \"1.6.2026\"");
  CHECK(error_of_cell("stock", "-1") == "stock must be 0 to 1000000000");
  CHECK(error_of_cell("stock", "many") == "stock must be a whole number, not \"many\"");
  CHECK(error_of_cell("is_on_sale", "yes") == "is_on_sale must be true or false, not \"yes\"");
}

TEST_CASE("options are id:title:stock with escapes") {
  const auto options = [](std::string_view cell) {
    return products_of_csv(std::string(kRequired) + ",options\nscarf,goods,Scarf,1,EUR," + std::string(cell))[0]
        .options;
  };
  CHECK(options("red:Red:100|blue:Blue:") ==
        std::vector<ProductOption>{{"red", {"Red", ""}, 100}, {"blue", {"Blue", ""}, std::nullopt}});
  CHECK(options("a:\\:\\|\\\\:0") == std::vector<ProductOption>{{"a", {":|\\", ""}, 0}});

  const std::string_view shape = "options must be at most 50 times id:title:stock with | between them, not ";
  CHECK(error_of_cell("options", "red:Red:1:2") == std::string(shape) + "\"red:Red:1:2\"");
  CHECK(error_of_cell("options", "red:\\Red:") == std::string(shape) + R"("red:\\Red:")");
  CHECK(error_of_cell("options", "red:Red:\\") == std::string(shape) + R"("red:Red:\\")");
  CHECK(error_of_cell("options", std::string(1'000'000, '|')).starts_with(shape));
  CHECK(error_of_cell("options", "red:Red:1|blue:Blue") ==
        "options[1] must be id:title:stock, where the stock may be empty");
  CHECK(error_of_cell("options", "red:Red:1|") == "options[1] must be id:title:stock, where the stock may be empty");
  CHECK(error_of_cell("options", "red:Red:x") == "options[0].stock must be a whole number, not \"x\"");
  CHECK(error_of_cell("options", "red:Red:-1") == "options[0].stock must be 0 to 1000000000");
  CHECK(error_of_cell("options", "red:Red:|red:Red:") == "options[1].id occurs twice in options");
  CHECK(error_of_cell("options", "red::1") == "options[0].title.en must not be empty");
  CHECK(error_of_cell("options", "Red:Red:1") ==
        "options[0].id must be 1 to 64 characters of a-z 0-9 . _ - and begin with a letter or digit");
}

TEST_CASE("a file has at most 8 MiB and 10,000 products") {
  CHECK(errors_of_csv(std::string((8U << 20) + 1, '\n')) == CsvErrors{{1, "the file must have at most 8388608 bytes"}});

  std::vector<Product> products;
  auto product = sample_pass();
  for (std::size_t i = 0; i < kMaxProducts; ++i) {
    product.id = "p" + std::to_string(10'000 + i);
    products.push_back(product);
  }
  CHECK(products_of_csv(to_csv(products)) == products);
  product.id = "q";
  products.push_back(product);
  products.push_back(product);
  CHECK(errors_of_csv(to_csv(products)) == CsvErrors{{10'002, "the file must have at most 10000 products"}});
}

TEST_CASE("the first 100 errors of rows are listed, and then how many more there are") {
  std::string text(kRequired);
  for (int i = 0; i < 5'000; ++i) text += "\nx";
  const auto errors = errors_of_csv(text);
  REQUIRE(errors.size() == 101);
  CHECK(errors[0] == ImportError{2, "product \"x\": the row has 1 cells, but the first line names 5 columns"});
  CHECK(errors[99].line == 101);
  CHECK(errors[100] == ImportError{102, "and 4900 more errors"});
}

TEST_CASE("a row with a cell far beyond the columns is not taken for an empty one") {
  for (const auto* cell : {"", "x"})
    CHECK(errors_of_row(std::string(100, ',') + cell) ==
          CsvErrors{{2, "the row has 101 cells, but the first line names 5 columns"}});
  CHECK(errors_of_row(std::string(20, ',')).empty());
  CHECK(errors_of_row(std::string(8'000'000, ',')).size() == 1);
}

TEST_CASE("an unterminated quote is reported with the line in which its row begins") {
  std::string text = std::string(kRequired) + "\na,goods,A,1,EUR\nb,goods,\"B,1,EUR\n";
  for (int i = 0; i < 1'000; ++i) text += "c,goods,C,1,EUR\n";
  CHECK(errors_of_csv(text) == CsvErrors{{3, "product \"b\": the row has a quote that is not closed"}});
}
