#include "shop/catalogue.h"

#include <doctest/doctest.h>

#include <functional>

#include "shop/sample_products.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

/// What wrong_product() says of a sample after a change.
std::string wrong_after(Product product, const std::function<void(Product&)>& change) {
  change(product);
  return wrong_product(product);
}

std::string wrong_note_after(const std::function<void(ChannelNote&)>& change) {
  auto note = sample_note();
  change(note);
  return wrong_channel_note(note);
}

}  // namespace

TEST_CASE("a kind of product is written and read back") {
  for (const auto kind : {ProductKind::channel, ProductKind::bundle, ProductKind::pass, ProductKind::goods})
    CHECK(parse_product_kind(to_string(kind)) == kind);
  CHECK(to_string(ProductKind::goods) == "goods");
  for (const auto* text : {"", "Goods", "good", "goods ", "all"}) CHECK_FALSE(parse_product_kind(text).has_value());
}

TEST_CASE("nothing is wrong with the samples") {
  for (const auto& product : {sample_goods(), sample_pass(), sample_bundle(), sample_channel()})
    CHECK(wrong_product(product) == "");
  CHECK(wrong_channel_note(sample_note()) == "");
  ChannelNote bare;
  bare.channel = "main";
  CHECK(wrong_channel_note(bare) == "");
}

TEST_CASE("an id has 1 to 64 characters and begins with a letter or digit") {
  for (const auto& id : {std::string("a"), std::string("0.a_b-c"), std::string(64, 'x')})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.id = id; }) == "");
  for (const auto& id : {std::string(), std::string(65, 'x'), std::string("A"), std::string("a b"), std::string("a/b"),
                         std::string(".."), std::string("-a"), std::string("a\0", 2), std::string("\xd0\xb0")})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.id = id; }) ==
          "id must be 1 to 64 characters of a-z 0-9 . _ - and begin with a letter or digit");
}

TEST_CASE("a title is not empty and has at most 256 bytes") {
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.title.en = std::string(256, 'x'); }) == "");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.title.en = std::string(257, 'x'); }) ==
        "title.en must have at most 256 bytes");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.title.ru = std::string(257, 'x'); }) ==
        "title.ru must have at most 256 bytes");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.title = {"", "Шарф"}; }) == "title.en must not be empty");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.title = {}; }) == "title.en must not be empty");
  CHECK(wrong_after(sample_goods(), [](Product& p) {
          p.description = {"", "Шерсть"};
        }) == "description.en must not be empty when description.ru is not");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.description = {}; }) == "");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.description.en = std::string(4'096, 'x'); }) == "");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.description.en = std::string(4'097, 'x'); }) ==
        "description.en must have at most 4096 bytes");
}

TEST_CASE("a text is UTF-8: no overlong form, no surrogate, nothing cut, nothing above U+10FFFF") {
  for (const auto* text : {"\x7e", "\xc2\xa0", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x90\x80\x80", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.title.en = text; }) == "");
  for (const auto* text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2 ", "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xfe"})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.title.en = text; }) == "title.en must be UTF-8");
}

TEST_CASE("a text has no control characters, except for line feeds in a description") {
  for (const auto& text :
       {std::string("a\nb"), std::string("a\tb"), std::string("\r"), std::string("a\0b", 3), std::string("\x1b[0m"),
        std::string("\x7f"), std::string("\xc2\x80"), std::string("\xc2\x9f")}) {
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.title.ru = text; }) ==
          "title.ru must not have control characters");
    const auto wrong = wrong_after(sample_goods(), [&](Product& p) { p.description.ru = text; });
    CHECK(wrong == (text == "a\nb" ? "" : "description.ru must not have control characters other than line feeds"));
  }
}

TEST_CASE("a picture is an http(s) URL or a path with one slash at its beginning") {
  for (const auto* picture : {"", "/", "/a/b.jpg", "/a//b", "http://h", "https://h/a?b=%20", "https://h:8443/#c"})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.picture = picture; }) == "");
  for (const auto* picture : {"//h/a.jpg", "a.jpg", "ftp://h/a", "javascript:alert(1)", "data:image/png;base64,AA",
                              "http://", "https:///a", "http://?a", "HTTP:/a", "http:/a"})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.picture = picture; }) ==
          "picture must be an http:// or https:// URL, or a path that begins with one \"/\"");
  for (const auto& picture : {std::string("/a b"), std::string("/\\h/a"), std::string("/a\""), std::string("/\n"),
                              std::string("/\0", 2), std::string("/\xd0\xb0")})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.picture = picture; }) ==
          "picture must be visible ASCII without \\ and \": escape other characters as %XX");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.picture = "/" + std::string(1'023, 'x'); }) == "");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.picture = "/" + std::string(1'024, 'x'); }) ==
        "picture must have at most 1024 bytes");
}

TEST_CASE("a price is 0 to the largest amount, in a currency") {
  for (const auto amount : {std::int64_t{0}, std::int64_t{1}, kMaxAmount})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.price.amount = amount; }) == "");
  for (const auto amount : {std::int64_t{-1}, kMaxAmount + 1, INT64_MAX, INT64_MIN})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.price.amount = amount; }) ==
          "price.amount must be 0 to 1000000000000000 minor units");
  for (const auto* currency : {"", "eur", "EURO"})
    CHECK(wrong_after(sample_goods(), [&](Product& p) { p.price.currency = currency; }) ==
          "price.currency must be three letters A-Z, such as EUR");
}

TEST_CASE("the grant fits the kind") {
  const auto with = [](ProductKind kind, bool all, std::vector<std::string> channels) {
    Product p = sample_pass();
    p.kind = kind;
    p.grant.all_channels = all;
    p.grant.channels = std::move(channels);
    if (kind == ProductKind::goods) p.grant.valid_for.reset();
    return wrong_product(p);
  };
  CHECK(with(ProductKind::channel, false, {"a"}) == "");
  CHECK(with(ProductKind::bundle, false, {"a", "b"}) == "");
  CHECK(with(ProductKind::pass, false, {"a"}) == "");
  CHECK(with(ProductKind::pass, true, {}) == "");
  CHECK(with(ProductKind::goods, false, {}) == "");

  const std::string one = "channels must name exactly one channel, because the kind is channel";
  CHECK(with(ProductKind::channel, false, {}) == one);
  CHECK(with(ProductKind::channel, false, {"a", "b"}) == one);
  CHECK(with(ProductKind::channel, true, {}) == one);
  const std::string two = "channels must name two or more channels, because the kind is bundle";
  CHECK(with(ProductKind::bundle, false, {"a"}) == two);
  CHECK(with(ProductKind::bundle, true, {}) == two);
  CHECK(with(ProductKind::pass, false, {}) ==
        "channels must be \"all\" or name at least one channel, because the kind is pass");
  CHECK(with(ProductKind::pass, true, {"a"}) == "channels must be either all or a list");
  const std::string none = "channels must be absent, because the kind is goods";
  CHECK(with(ProductKind::goods, false, {"a"}) == none);
  CHECK(with(ProductKind::goods, true, {}) == none);
}

TEST_CASE("goods have no validity, and a pass has one") {
  const auto date = base::WallTime(1'780'000'000s);
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.grant.valid_for = 1h; }) ==
        "valid_for must be absent, because the kind is goods");
  CHECK(wrong_after(sample_goods(), [&](Product& p) { p.grant.valid_from = date; }) ==
        "valid_from must be absent, because the kind is goods");
  CHECK(wrong_after(sample_goods(), [&](Product& p) { p.grant.valid_until = date; }) ==
        "valid_until must be absent, because the kind is goods");
  const auto pass = [&](bool has_from, bool has_until) {
    return wrong_after(sample_pass(), [&](Product& p) {
      p.grant.valid_for.reset();
      if (has_from) p.grant.valid_from = date;
      if (has_until) p.grant.valid_until = date + 1h;
    });
  };
  const std::string missing = "valid_for or valid_until must be given, because the kind is pass";
  CHECK(pass(false, false) == missing);
  CHECK(pass(true, false) == missing);
  CHECK(pass(false, true) == "");
  CHECK(pass(true, true) == "");
}

TEST_CASE("granted channels are ids, at most 64, and none of them twice") {
  const auto with = [](std::vector<std::string> channels) {
    return wrong_after(sample_bundle(), [&](Product& p) { p.grant.channels = std::move(channels); });
  };
  std::vector<std::string> many(64);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = "c" + std::to_string(i);
  CHECK(with(many) == "");
  many.emplace_back("c64");
  CHECK(with(many) == "channels must name at most 64 channels");
  CHECK(with({"a", "B"}) == "channels[1] must be 1 to 64 characters of a-z 0-9 . _ - and begin with a letter or digit");
  CHECK(with({"a", "b", "a"}) == "channels[2] occurs twice in channels");
  CHECK(with({"a", "all"}) == "channels[1] must not be \"all\", which stands for all channels");
}

TEST_CASE("a validity is a duration up to ten years, or dates of which the end comes later") {
  const auto lasting = [](std::chrono::seconds duration) {
    return wrong_after(sample_pass(), [&](Product& p) { p.grant.valid_for = duration; });
  };
  CHECK(lasting(1s) == "");
  CHECK(lasting(kMaxValidity) == "");
  for (const auto duration : {0s, -1s, kMaxValidity + 1s, std::chrono::seconds::max(), std::chrono::seconds::min()})
    CHECK(lasting(duration) == "valid_for must be 1s to 3660d");

  const auto date = base::WallTime(1'780'000'000s);
  CHECK(wrong_after(sample_pass(), [&](Product& p) { p.grant.valid_until = date; }) ==
        "valid_for must not be given together with valid_from or valid_until");
  CHECK(wrong_after(sample_pass(), [&](Product& p) { p.grant.valid_from = date; }) ==
        "valid_for must not be given together with valid_from or valid_until");
  for (const auto gap : {0s, 1s})
    CHECK(wrong_after(sample_bundle(), [&](Product& p) { p.grant.valid_until = *p.grant.valid_from - gap; }) ==
          "valid_until must be after valid_from");
  for (const auto time : {base::WallTime(-1ms), base::WallTime::max(), base::WallTime::min()}) {
    CHECK(wrong_after(sample_channel(), [&](Product& p) { p.grant.valid_from = time; }) ==
          "valid_from must be in the years 1970 to 2261");
    CHECK(wrong_after(sample_channel(), [&](Product& p) { p.grant.valid_until = time; }) ==
          "valid_until must be in the years 1970 to 2261");
  }
}

TEST_CASE("options are of goods, at most 50, and have ids, titles and stocks") {
  CHECK(wrong_after(sample_pass(), [](Product& p) {
          p.options = {{"red", {"Red", ""}, 1}};
        }) == "options must be absent, because the kind is not goods");
  const auto many = [](int count) {
    return wrong_after(sample_goods(), [&](Product& p) {
      p.options.clear();
      for (int i = 0; i < count; ++i) p.options.push_back({std::to_string(i), {"Size", ""}, i});
    });
  };
  CHECK(many(50) == "");
  CHECK(many(51) == "options must have at most 50 elements");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.options[1].id = "red"; }) ==
        "options[1].id occurs twice in options");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.options[1].id = "RED"; }) ==
        "options[1].id must be 1 to 64 characters of a-z 0-9 . _ - and begin with a letter or digit");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.options[0].title = {}; }) ==
        "options[0].title.en must not be empty");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.options[0].stock = -1; }) ==
        "options[0].stock must be 0 to 1000000000");
}

TEST_CASE("a stock is of goods without options, and not below zero") {
  const auto with = [](Product product, std::int64_t stock) {
    product.options.clear();
    product.stock = stock;
    return wrong_product(product);
  };
  CHECK(with(sample_goods(), 0) == "");
  CHECK(with(sample_goods(), 1'000'000'000) == "");
  for (const auto stock : {std::int64_t{-1}, std::int64_t{1'000'000'001}, INT64_MAX, INT64_MIN})
    CHECK(with(sample_goods(), stock) == "stock must be 0 to 1000000000");
  CHECK(with(sample_pass(), 1) == "stock must be absent, because the kind is not goods");
  CHECK(wrong_after(sample_goods(), [](Product& p) { p.stock = 1; }) ==
        "stock must be absent, because each of the options has its own");
}

TEST_CASE("what is wrong with a note of a channel is named") {
  CHECK(wrong_note_after([](ChannelNote& n) { n.channel = "Main"; }) ==
        "channel must be 1 to 64 characters of a-z 0-9 . _ - and begin with a letter or digit");
  CHECK(wrong_note_after([](ChannelNote& n) { n.title.en = "\xff"; }) == "title.en must be UTF-8");
  CHECK(wrong_note_after([](ChannelNote& n) { n.title.en = ""; }) == "title.en must not be empty when title.ru is not");
  CHECK(wrong_note_after([](ChannelNote& n) { n.poster = "//h/a"; }) ==
        "poster must be an http:// or https:// URL, or a path that begins with one \"/\"");
  CHECK(wrong_note_after([](ChannelNote& n) { n.now.en = "a\nb"; }) == "now.en must not have control characters");
  CHECK(wrong_note_after([](ChannelNote& n) { n.now.ru = std::string(257, 'x'); }) ==
        "now.ru must have at most 256 bytes");
  CHECK(wrong_note_after([](ChannelNote& n) { n.opens_at = base::WallTime::min(); }) ==
        "opens_at must be in the years 1970 to 2261");
}
