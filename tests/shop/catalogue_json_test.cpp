#include "shop/catalogue_json.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "shop/sample_products.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

constexpr std::string_view kPlainGoods =
    R"({"id":"tea","kind":"goods","title":"Tea","price":{"amount":250,"currency":"EUR"}})";

/// The plain goods after one replacement in their text.
std::string goods_with(std::string_view part, std::string_view other) {
  std::string text(kPlainGoods);
  const auto at = text.find(part);
  REQUIRE(at != std::string::npos);
  return text.replace(at, part.size(), other);
}

/// The plain goods with one more member.
std::string goods_and(std::string_view member) { return goods_with("}}", "}," + std::string(member) + "}"); }

std::string error_of_json(std::string_view product) {
  const auto read = product_of_json(product);
  return read ? "" : read.error().text;
}

using JsonErrors = std::vector<ImportError>;

JsonErrors errors_of_json(std::string_view catalogue) {
  const auto read = read_catalogue_json(catalogue);
  return read ? JsonErrors() : read.error();
}

}  // namespace

TEST_CASE("a product as JSON is read back") {
  auto bare = sample_goods();
  bare.options.clear();
  bare.stock = 0;
  bare.description = {};
  bare.picture = "";
  auto russian = sample_goods();
  russian.options[0].title.ru = "Красный";
  for (const auto& product : {sample_goods(), sample_pass(), sample_bundle(), sample_channel(), bare, russian}) {
    const auto read = product_of_json(to_json(product));
    REQUIRE(read.has_value());
    CHECK(*read == product);
  }
}

TEST_CASE("the note of a channel as JSON is read back") {
  ChannelNote bare;
  bare.channel = "second";
  for (const auto& note : {sample_note(), bare}) {
    const auto read = channel_note_of_json(to_json(note));
    REQUIRE(read.has_value());
    CHECK(*read == note);
  }
  CHECK(to_json(bare) == R"({"channel":"second"})");
  CHECK(channel_note_of_json(R"({"channel":"a","poster":"b"})").error().text ==
        "poster must be an http:// or https:// URL, or a path that begins with one \"/\"");
  CHECK(channel_note_of_json(R"({"channel":"a","opens_at":"today"})").error().text ==
        "opens_at must be a time such as 2026-06-01T20:00:00Z");
}

TEST_CASE("a product is written in the form that the header describes") {
  CHECK(to_json(sample_pass()) ==
        R"({"id":"season","kind":"pass","title":{"en":"Season pass","ru":"Сезонный абонемент"},)"
        R"("picture":"/pictures/season.jpg","price":{"amount":4900,"currency":"EUR"},"channels":"all",)"
        R"("valid_for":"30d","is_on_sale":true})");
  CHECK(to_json(sample_bundle()) ==
        R"({"id":"finals","kind":"bundle","title":{"en":"Finals"},"price":{"amount":0,"currency":"JPY"},)"
        R"("channels":["main","second"],"valid_from":"2026-05-28T20:26:40Z","valid_until":"2026-09-21T14:13:20.250Z",)"
        R"("is_on_sale":false})");
}

TEST_CASE("absent members have their defaults, and a plain text is the English one") {
  const auto read = product_of_json(kPlainGoods);
  REQUIRE(read.has_value());
  Product expected;
  expected.id = "tea";
  expected.title.en = "Tea";
  expected.price = {250, "EUR"};
  CHECK(*read == expected);
  CHECK(read->is_on_sale);
}

TEST_CASE("a member that is wrong in a product is named with what is allowed") {
  const std::string whole = " must be a whole number without fraction and exponent";
  const std::string large = " must be a whole number of 64 bits";
  for (const auto& [text, error] : std::vector<std::pair<std::string, std::string>>{
           {goods_with(R"("id":"tea",)", ""), "id is missing"},
           {goods_with(R"("kind":"goods",)", ""), "kind is missing"},
           {goods_with(R"("title":"Tea",)", ""), "title is missing"},
           {goods_with(R"(,"price":{"amount":250,"currency":"EUR"})", ""), "price is missing"},
           {goods_with(R"("amount":250,)", ""), "price.amount is missing"},
           {goods_with(R"(,"currency":"EUR")", ""), "price.currency is missing"},
           {goods_with(R"("tea")", "7"), "id must be a text"},
           {goods_with("tea", "Tea"),
            "id must be 1 to 64 characters of a-z 0-9 . _ - and begin with a letter or digit"},
           {goods_with("goods", "good"), "kind must be channel, bundle, pass or goods"},
           {goods_with(R"("goods")", "null"), "kind must be channel, bundle, pass or goods"},
           {goods_with(R"("Tea")", "null"), "title must be a text or an object with en and ru"},
           {goods_with(R"("Tea")", R"(["Tea"])"), "title must be a text or an object with en and ru"},
           {goods_with(R"("Tea")", R"({"ru":"Чай"})"), "title.en is missing"},
           {goods_with(R"("Tea")", R"({"en":1})"), "title.en must be a text"},
           {goods_with(R"("Tea")", R"({"en":"Tea","de":"Tee"})"), "\"title.de\" is unknown: the members are en, ru"},
           {goods_with("Tea", ""), "title.en must not be empty"},
           {goods_with(R"({"amount":250,"currency":"EUR"})", "250"),
            "price must be an object with amount and currency"},
           {goods_with("250", "-1"), "price.amount must be 0 to 1000000000000000 minor units"},
           {goods_with("250", "1000000000000001"), "price.amount must be 0 to 1000000000000000 minor units"},
           {goods_with("250", "9007199254740993"), "price.amount must be 0 to 1000000000000000 minor units"},
           {goods_with("250", "9223372036854775807"), "price.amount must be 0 to 1000000000000000 minor units"},
           {goods_with("250", "9223372036854775808"), "price.amount" + large},
           {goods_with("250", "-9223372036854775809"), "price.amount" + large},
           {goods_with("250", "1e300"), "price.amount" + large},
           {goods_with("250", "2.5"), "price.amount" + whole},
           {goods_with("250", "250.0"), "price.amount" + whole},
           {goods_with("250", "25e1"), "price.amount" + whole},
           {goods_with("250", R"("250")"), "price.amount" + whole},
           {goods_with("EUR", "eur"), "price.currency must be three letters A-Z, such as EUR"},
           {goods_and(R"("picture":"a.jpg")"),
            "picture must be an http:// or https:// URL, or a path that begins with one \"/\""},
           {goods_and(R"("channels":"main")"), "channels must be \"all\" or a list of ids"},
           {goods_and(R"("channels":true)"), "channels must be \"all\" or a list of ids"},
           {goods_and(R"("channels":["a",1])"), "channels[1] must be a text"},
           {goods_and(R"("channels":["a"])"), "channels must be absent, because the kind is goods"},
           {goods_and(R"("valid_for":"1w")"), "valid_for must be a duration such as 30d, 12h, 90min or 45s"},
           {goods_and(R"("valid_for":30)"), "valid_for must be a duration such as 30d, 12h, 90min or 45s"},
           {goods_and(R"("valid_from":"2026-06-01")"), "valid_from must be a time such as 2026-06-01T20:00:00Z"},
           {goods_and(R"("valid_until":0)"), "valid_until must be a time such as 2026-06-01T20:00:00Z"},
           {goods_and(R"("options":{})"), "options must be a list"},
           {goods_and(R"("options":["red"])"), "options[0] must be an object with id, title and stock"},
           {goods_and(R"("options":[{"id":"red"}])"), "options[0].title is missing"},
           {goods_and(R"("options":[{"title":"Red"}])"), "options[0].id is missing"},
           {goods_and(R"("options":[{"id":"red","title":"Red","stock":-1}])"),
            "options[0].stock must be 0 to 1000000000"},
           {goods_and(R"("options":[{"id":"red","title":"Red","stock":0.5}])"), "options[0].stock" + whole},
           {goods_and(R"("options":[{"id":"red","title":"Red","size":1}])"),
            "\"options[0].size\" is unknown: the members are id, title, stock"},
           {goods_and(R"("stock":-1)"), "stock must be 0 to 1000000000"},
           {goods_and(R"("stock":null)"), "stock" + whole},
           {goods_and(R"("is_on_sale":"yes")"), "is_on_sale must be true or false"},
           {goods_and(R"("is_on_sale":1)"), "is_on_sale must be true or false"},
           {goods_and(R"("colour":"red")"),
            "\"colour\" is unknown: the members are id, kind, title, description, picture, price, channels, valid_for, "
            "valid_from, valid_until, options, stock, is_on_sale"},
       })
    CHECK(error_of_json(text) == error);
}

TEST_CASE("a text that is no product is refused as invalid input of the client") {
  for (const auto& text :
       {std::string(), std::string("{}"), std::string("[]"), std::string("null"), std::string("7"), std::string("{"),
        std::string(kPlainGoods) + "x", goods_and(R"("id":"tea")"), goods_with("Tea", "\xff"),
        goods_with("Tea", "\\ud800"), goods_with("Tea", "\\udc00"), goods_with("Tea", "\xed\xa0\x80"),
        goods_with("Tea", std::string_view("\0", 1)), goods_with("Tea", "\\u0000"), goods_with("Tea", "a\\nb"),
        goods_and(R"("options":[{"id":"a","title":{"en":[]}}])"), std::string(100'000, '[')}) {
    const auto read = product_of_json(text);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().kind == base::ErrorKind::invalid_input);
    CHECK(read.error().fault == base::Fault::client);
    CHECK_FALSE(read.error().text.empty());
  }
  const auto read = product_of_json(std::string(256 * 1024 + 1, ' '));
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().kind == base::ErrorKind::too_large);
  CHECK(read.error().text == "a product must have at most 262144 bytes");
}

TEST_CASE("the largest product fits its bounds even with all characters escaped") {
  auto product = sample_goods();
  const std::string title(kMaxTitleBytes, '"'), description(kMaxDescriptionBytes, '\n');
  product.title = {title, title};
  product.description = {description, description};
  product.picture = "/" + std::string(kMaxPictureBytes - 1, 'x');
  product.options.clear();
  for (std::size_t i = 0; i < kMaxOptions; ++i)
    product.options.push_back({std::string(62, 'x') + std::to_string(10 + i), {title, title}, 1'000'000'000});
  auto read = product_of_json(to_json(product));
  REQUIRE(read.has_value());
  CHECK(*read == product);

  std::string escaped = to_json(product);
  for (auto at = escaped.find("\\\""); at != std::string::npos; at = escaped.find("\\\"", at))
    escaped.replace(at, 2, "\\u0022");
  read = product_of_json(escaped);
  REQUIRE(read.has_value());
  CHECK(*read == product);
}

TEST_CASE("a catalogue is read back in the order of its ids, one product on a line") {
  Catalogue catalogue;
  catalogue.channels = {sample_note()};
  catalogue.products = {sample_channel(), sample_bundle(), sample_goods(), sample_pass()};
  const auto text = to_json(catalogue);
  CHECK(std::ranges::count(text, '\n') == 9);
  auto read = read_catalogue_json(text);
  REQUIRE(read.has_value());
  CHECK(*read == catalogue);

  read = read_catalogue_json("\xef\xbb\xbf" + text);
  REQUIRE(read.has_value());
  CHECK(*read == catalogue);

  auto shuffled = catalogue;
  std::ranges::reverse(shuffled.products);
  read = read_catalogue_json(to_json(shuffled));
  REQUIRE(read.has_value());
  CHECK(*read == catalogue);

  for (const auto& empty : {to_json(Catalogue()), std::string(R"({"products":[]})")}) {
    read = read_catalogue_json(empty);
    REQUIRE(read.has_value());
    CHECK(*read == Catalogue());
  }
}

TEST_CASE("each thing that is wrong with a catalogue is listed with its line") {
  const auto errors = errors_of_json(R"({
  "channels": [
    {"channel": "main", "title": 5},
    {"channel": "main",
     "poster": "//h/a.jpg"},
    "second"
  ],
  "products": [
    {
      "id": "season",
      "kind": "pass",
      "title": {
        "en": "Season",
        "fr": "Saison"
      },
      "price": {
        "amount": 4900.5
      },
      "channels": "all"
    },
    {"id": "tea", "kind": "goods", "title": "Tea",
     "price": {
       "amount": -250,
       "currency": "EUR"}},
    {"kind": "goods", "title": "Scarf", "price": {"amount": 1, "currency": "EUR"},
     "options": [
       {"id": "red", "title": "Red"},
       {"id": "blue",
        "title": {"en": "Blue",
                  "ru": "a\u0000b"}}]},
    {"title": "Cup", "price": {"amount": 1, "currency": "EUR"},
     "kind": "goods",
     "id": "tea"}
  ],
  "extra": 1
})");
  const JsonErrors expected{
      {3, "channel \"main\": title must be a text or an object with en and ru"},
      {4, "channel \"main\": channel occurs twice"},
      {5, "channel \"main\": poster must be an http:// or https:// URL, or a path that begins with one \"/\""},
      {6, "channels[2] must be an object"},
      {14, "product \"season\": \"title.fr\" is unknown: the members are en, ru"},
      {16, "product \"season\": price.currency is missing"},
      {17, "product \"season\": price.amount must be a whole number without fraction and exponent"},
      {23, "product \"tea\": price.amount must be 0 to 1000000000000000 minor units"},
      {25, "products[2]: id is missing"},
      {33, "product \"tea\": id occurs twice"},
      {35, "\"extra\" is unknown: the members are channels, products"},
  };
  CHECK(errors.size() == expected.size());
  for (std::size_t i = 0; i < std::min(errors.size(), expected.size()); ++i) {
    CHECK(errors[i].line == expected[i].line);
    CHECK(errors[i].text == expected[i].text);
  }
}

TEST_CASE("the line of an error of a rule is that of the member that the rule names") {
  const auto errors = errors_of_json(R"({"products":[
{"id": "scarf", "kind": "goods", "title": "Scarf", "price": {"amount": 1, "currency": "EUR"},
 "options": [
   {"id": "red", "title": "Red"},
   {"id": "blue",
    "title": {"en": "Blue",
              "ru": "a\u0000b"}}]},
{"id": "pass", "kind": "pass",
 "title": "",
 "price": {"amount": 1, "currency": "EUR"}},
{"id": "bundle", "kind": "bundle", "title": "Bundle", "price": {"amount": 1, "currency": "EUR"},
 "channels": ["a",
              "a"]}
]})");
  CHECK(errors == JsonErrors{
                      {7, "product \"scarf\": options[1].title.ru must not have control characters"},
                      {9, "product \"pass\": title.en must not be empty"},
                      {13, "product \"bundle\": channels[1] occurs twice in channels"},
                  });
}

TEST_CASE("a text that is no catalogue has one error") {
  for (const auto& [text, line, error] : std::vector<std::tuple<std::string, std::size_t, std::string>>{
           {"[]", 1, "the catalogue must be an object with channels and products"},
           {"\n\n7", 3, "the catalogue must be an object with channels and products"},
           {"{}", 1, "products is missing"},
           {"{\"channels\":[]}", 1, "products is missing"},
           {"{\n\"products\":\n{}}", 3, "products must be a list"},
           {"{\"products\":[],\n\"products\":[]}", 2, "\"products\" occurs twice in this object"},
           {"{\"products\":[\n{\"id\":\"a\",\n\"id\":\"b\"}]}", 3, "\"id\" occurs twice in this object"},
           {"{\"products\":\n[[[\n[[\n[", 4, "nested deeper than 6"},
           {"{\"products\":[\n{\"title\":\"\\udc00\"}]}", 2,
            "the text has half of a surrogate pair, which is no character"},
       }) {
    const auto errors = errors_of_json(text);
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].line == line);
    CHECK(errors[0].text == error);
  }
  for (const auto& [text, line] :
       std::vector<std::pair<std::string, std::size_t>>{{"", 1},
                                                        {"{\"products\":[\n{\"title\":\"\\ud800\"}]}", 2},
                                                        {"{\n\"products\":[\"\xff\"]}", 2},
                                                        {std::string("{\"products\":\n[\"\0\"]}", 19), 2},
                                                        {"{\"products\":[]}\n}", 2},
                                                        {"{\"products\":[\n,]}", 2},
                                                        {"{\"products\":[\n\n1e400]}", 3}}) {
    const auto errors = errors_of_json(text);
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].line == line);
  }
}

TEST_CASE("a catalogue has at most 8 MiB, half a million values and 10,000 products") {
  auto errors = errors_of_json(std::string((8U << 20) + 1, '\n'));
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].text == "longer than 8388608 bytes");

  std::string values = "{\"products\":[";
  for (int i = 0; i < 500'000; ++i) values += "0,";
  errors = errors_of_json(values + "0]}");
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].text == "more than 500000 values");

  Catalogue catalogue;
  auto product = sample_pass();
  for (std::size_t i = 0; i < kMaxProducts; ++i) {
    product.id = "p" + std::to_string(10'000 + i);
    catalogue.products.push_back(product);
  }
  const auto read = read_catalogue_json(to_json(catalogue));
  REQUIRE(read.has_value());
  CHECK(*read == catalogue);
  product.id = "q";
  catalogue.products.push_back(product);
  CHECK(errors_of_json(to_json(catalogue)) == JsonErrors{{3, "products must have at most 10000 elements"}});
}

TEST_CASE("the first 100 errors are listed, and then how many more there are") {
  const auto numbers = [](int count) {
    std::string text = "{\"products\":[";
    for (int i = 0; i < count; ++i) text += i == 0 ? "\n0" : ",\n0";
    return errors_of_json(text + "]}");
  };
  CHECK(numbers(100).size() == 100);
  CHECK(numbers(100).back() == ImportError{101, "products[99] must be an object"});
  const auto errors = numbers(9'000);
  REQUIRE(errors.size() == 101);
  CHECK(errors[0] == ImportError{2, "products[0] must be an object"});
  CHECK(errors[99] == ImportError{101, "products[99] must be an object"});
  CHECK(errors[100] == ImportError{102, "and 8900 more errors"});
}

TEST_CASE("a large id does not make large errors") {
  const auto errors = errors_of_json("{\"products\":[{\"id\":\"" + std::string(1'000'000, 'x') + "\"}]}");
  REQUIRE_FALSE(errors.empty());
  for (const auto& error : errors) CHECK(error.text.size() < 200);
}
