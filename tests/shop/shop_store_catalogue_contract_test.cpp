// What every engine of the shop's store must do: the catalogue, its prices and its stock.
#include <doctest/doctest.h>

#include "shop/shop_store_contract.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

std::vector<std::string> listed_ids(const CatalogueView& view) {
  std::vector<std::string> ids;
  for (const auto& listed : view.products) ids.push_back(listed.product.id);
  return ids;
}

std::vector<std::string> noted_channels(const CatalogueView& view) {
  std::vector<std::string> ids;
  for (const auto& note : view.channels) ids.push_back(note.channel);
  return ids;
}

ChannelNote note_of(std::string channel) {
  ChannelNote note;
  note.channel = std::move(channel);
  note.title.en = "Stage";
  return note;
}

/// One product of each kind, and goods with options, with every member set that the kind may have.
std::vector<Product> full_products() {
  auto arena = channel_product("arena", 900);
  arena.title.ru = "Арена";
  arena.description = {"All \"matches\"\nof the arena", "Все матчи"};
  arena.picture = "/pictures/arena.png";
  auto bundle = goods_of("bundle", 1'500);
  bundle.kind = ProductKind::bundle;
  bundle.grant.channels = {"arena", "backstage"};
  bundle.grant.valid_from = kOpening + 1h;
  bundle.grant.valid_until = kOpening + 24h;
  bundle.is_on_sale = false;
  auto day = pass_of("day", 700, 24h);
  auto scarf = goods_with_options("scarf", 2'500, 4);
  scarf.options[0].title.ru = "Большой";
  scarf.options[1].stock.reset();
  auto tea = goods_of("tea", 0, 12);
  tea.price.currency = "GBP";
  return {arena, bundle, day, scarf, tea};
}

/// Price 100, and from kOpening on 120; the former one is accepted for a minute.
Product with_new_price(OpenedShop& shop, std::chrono::milliseconds validity = 60s) {
  auto product = goods_of("tea", 100);
  shop.put({product}, kOpening - 1h);
  product.price = euros(120);
  CatalogueChange change;
  change.products = {product};
  change.price_validity = validity;
  change.now = kOpening;
  shop.change(change);
  return product;
}

std::string bought_at(OpenedShop& shop, PurchaseId id, Money price, base::WallTime now) {
  auto order = order_of(id, goods_of("tea", 0), now);
  order.price = std::move(price);
  return told(shop.buy(order));
}

}  // namespace

TEST_CASE_TEMPLATE("a new catalogue is empty and has version 0", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  const auto view = shop.catalogue();
  CHECK(view.version == 0);
  CHECK(view.products.empty());
  CHECK(view.channels.empty());
  CHECK(shop.store().health().has_value());
}

TEST_CASE_TEMPLATE("products and notes are stored with all their members, in the order of their ids", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  const auto products = full_products();
  CatalogueChange change;
  change.products = {products[3], products[0], products[4], products[2], products[1]};
  change.channels = {note_of("stage"), note_of("arena")};
  change.channels[1].title = {"", ""};
  change.channels[0].poster = "https://cdn.example.org/stage.jpg";
  change.channels[0].now = {"Semi-final", "Полуфинал"};
  change.channels[0].opens_at = kOpening + 2h;
  const auto version = shop.change(change);
  for (int round = 0; round < 2; ++round) {
    const auto view = shop.catalogue();
    CHECK(view.version == version);
    REQUIRE(view.products.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) CHECK(view.products[i].product == products[i]);
    CHECK(view.products[0].taken == std::vector<std::int64_t>{0});
    CHECK(view.products[3].taken == std::vector<std::int64_t>{0, 0});
    CHECK(view.channels == std::vector<ChannelNote>{change.channels[1], change.channels[0]});
    shop.reopen();
  }
}

TEST_CASE_TEMPLATE("each change of the catalogue reports a greater version, which is the present one", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  const auto first = shop.put({goods_of("tea", 100)});
  CHECK(first > 0);
  CatalogueChange erasure;
  erasure.erased_products = {"tea"};
  const auto second = shop.change(erasure);
  CHECK(second > first);
  shop.reopen();
  CHECK(shop.catalogue().version == second);
  CHECK(shop.put({goods_of("tea", 100)}) > second);
}

TEST_CASE_TEMPLATE("a purchase leaves the version of the catalogue as it is", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 500);
  const auto tea = goods_of("tea", 100, 3);
  const auto version = shop.put({tea});
  CHECK(told(shop.buy(order_of(1, tea))) == "paid");
  CHECK(shop.catalogue().version == version);
}

TEST_CASE_TEMPLATE("a change for another version is a conflict and changes nothing", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  CatalogueChange change;
  change.products = {goods_of("tea", 100)};
  change.if_version = 0;
  const auto version = shop.change(change);
  change.products = {goods_of("cake", 300)};
  const auto outdated = shop.try_change(change);
  REQUIRE_FALSE(outdated.has_value());
  CHECK(outdated.error().kind == base::ErrorKind::conflict);
  CHECK(shop.catalogue().version == version);
  CHECK(listed_ids(shop.catalogue()) == std::vector<std::string>{"tea"});
  change.if_version = version;
  shop.change(change);
  CHECK(listed_ids(shop.catalogue()) == std::vector<std::string>{"cake", "tea"});
}

TEST_CASE_TEMPLATE("products and notes are erased by id, and unknown ids are ignored", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  CatalogueChange change;
  change.products = {goods_of("tea", 100), goods_of("cake", 300)};
  change.channels = {note_of("arena"), note_of("stage")};
  shop.change(change);
  CatalogueChange erasure;
  erasure.erased_products = {"tea", "coffee"};
  erasure.erased_channels = {"stage", "lobby"};
  shop.change(erasure);
  shop.reopen();
  CHECK(listed_ids(shop.catalogue()) == std::vector<std::string>{"cake"});
  CHECK(noted_channels(shop.catalogue()) == std::vector<std::string>{"arena"});
}

TEST_CASE_TEMPLATE("ids to erase that no product or channel can have are ignored", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  CatalogueChange change;
  change.products = {goods_of("tea", 100), goods_of("cake", 300)};
  change.channels = {note_of("arena")};
  shop.change(change);
  CatalogueChange erasure;
  erasure.erased_products = {"", "tea", std::string(kMaxIdBytes + 1, 'a'), std::string(100'000, 'b'),
                             std::string(1, 0)};
  erasure.erased_channels = {std::string(1'000, 'c'), "", "arena"};
  shop.change(erasure);
  CHECK(listed_ids(shop.catalogue()) == std::vector<std::string>{"cake"});
  CHECK(noted_channels(shop.catalogue()).empty());
}

TEST_CASE_TEMPLATE("a change that replaces all erases what it does not put", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  CatalogueChange change;
  change.products = {goods_of("tea", 100), goods_of("cake", 300)};
  change.channels = {note_of("arena"), note_of("stage")};
  shop.change(change);
  change.replaces_all = true;
  change.products = {goods_of("cake", 350), goods_of("soup", 400)};
  change.channels = {note_of("lobby")};
  shop.change(change);
  const auto view = shop.catalogue();
  CHECK(listed_ids(view) == std::vector<std::string>{"cake", "soup"});
  CHECK(view.products[0].product.price == euros(350));
  CHECK(noted_channels(view) == std::vector<std::string>{"lobby"});
}

TEST_CASE_TEMPLATE("more products than allowed are too_large and change nothing", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  CatalogueChange change;
  for (std::size_t i = 0; i < kMaxProducts; ++i) change.products.push_back(goods_of("p" + std::to_string(i), 100));
  const auto version = shop.change(change);
  CHECK(shop.catalogue().products.size() == kMaxProducts);
  CatalogueChange more;
  more.products = {goods_of("tea", 100)};
  const auto refused = shop.try_change(more);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == base::ErrorKind::too_large);
  CHECK(shop.catalogue().version == version);
  CHECK(shop.catalogue().products.size() == kMaxProducts);
  more.products = {goods_of("p7", 200)};
  CHECK(shop.try_change(more).has_value());
  more.products = {goods_of("tea", 100)};
  more.replaces_all = true;
  CHECK(shop.try_change(more).has_value());
  CHECK(listed_ids(shop.catalogue()) == std::vector<std::string>{"tea"});
}

TEST_CASE_TEMPLATE("more notes on channels than allowed are too_large and change nothing", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  CatalogueChange change;
  for (std::size_t i = 0; i <= kMaxChannelNotes; ++i) change.channels.push_back(note_of("c" + std::to_string(i)));
  const auto refused = shop.try_change(change);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == base::ErrorKind::too_large);
  CHECK(shop.catalogue().channels.empty());
  change.channels.pop_back();
  CHECK(shop.try_change(change).has_value());
  CHECK(shop.catalogue().channels.size() == kMaxChannelNotes);
}

TEST_CASE_TEMPLATE("a product that is put again keeps its sales, also after it was erased", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 10'000);
  auto scarf = goods_with_options("scarf", 100, 5);
  shop.put({scarf});
  auto order = order_of(1, scarf);
  order.option = "m";
  order.quantity = 3;
  REQUIRE(told(shop.buy(order)) == "paid");
  CatalogueChange change;
  SUBCASE("put again") { change.products = {scarf}; }
  SUBCASE("put again with its options in another order") {
    std::swap(scarf.options[0], scarf.options[1]);
    change.products = {scarf};
  }
  SUBCASE("erased by its id") { change.erased_products = {"scarf"}; }
  SUBCASE("erased by a change that replaces all") { change.replaces_all = true; }
  shop.change(change);
  shop.reopen();
  shop.put({scarf});
  CHECK(shop.taken("scarf") ==
        (scarf.options[0].id == "m" ? std::vector<std::int64_t>{3, 0} : std::vector<std::int64_t>{0, 3}));
  auto more = order_of(2, scarf);
  more.option = "m";
  more.quantity = 3;
  CHECK(refusal_of(shop.buy(more)).left == 2);
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("the pieces that are taken are read without the products", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 10'000);
  CHECK(shop.taken_pieces().version == 0);
  CHECK(shop.taken_pieces().by_option.empty());
  const auto scarf = goods_with_options("scarf", 100, 5), tea = goods_of("tea", 100), cake = goods_of("cake", 100);
  const auto version = shop.put({scarf, tea, cake});
  const auto before = shop.catalogue();
  auto order = order_of(1, scarf);
  order.option = "m";
  order.quantity = 3;
  REQUIRE(told(shop.buy(order)) == "paid");
  REQUIRE(told(shop.buy(till_order(2, tea))) == "pending");
  const auto pieces = shop.taken_pieces();
  CHECK(pieces.version == version);
  CHECK(pieces.by_option.at({"scarf", "m"}) == 3);
  CHECK(pieces.by_option.at({"tea", ""}) == 1);
  const auto updated = with_taken(before, pieces), read = shop.catalogue();
  CHECK(updated.version == read.version);
  REQUIRE(updated.products.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(updated.products[i].product == read.products[i].product);
    CHECK(updated.products[i].taken == read.products[i].taken);
  }
  CHECK(with_taken(read, {}).products[1].taken == std::vector<std::int64_t>{0, 0});
}

TEST_CASE_TEMPLATE("a product that is not on sale or was erased cannot be bought", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 1'000);
  auto tea = goods_of("tea", 100);
  shop.put({tea});
  REQUIRE(told(shop.buy(order_of(1, tea))) == "paid");
  tea.is_on_sale = false;
  shop.put({tea});
  CHECK(told(shop.buy(order_of(2, tea))) == "product_unknown");
  CHECK(listed_ids(shop.catalogue()) == std::vector<std::string>{"tea"});
  tea.is_on_sale = true;
  shop.put({tea});
  CHECK(told(shop.buy(order_of(3, tea))) == "paid");
  CatalogueChange erasure;
  erasure.erased_products = {"tea"};
  shop.change(erasure);
  CHECK(told(shop.buy(order_of(4, tea))) == "product_unknown");
  CHECK(told(shop.refund(refund_of(1))) == "refunded");
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("the stock may be changed, also to less than was sold", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 10'000);
  auto tea = goods_of("tea", 100, 5);
  shop.put({tea});
  auto order = order_of(1, tea);
  order.quantity = 4;
  REQUIRE(told(shop.buy(order)) == "paid");
  tea.stock = 2;
  shop.put({tea});
  CHECK(refusal_of(shop.buy(order_of(2, tea))) == RefusedOrder{ShopRefusal::sold_out, {}, 0, {}});
  CHECK(shop.taken("tea") == std::vector<std::int64_t>{4});
  tea.stock = 5;
  shop.put({tea});
  CHECK(told(shop.buy(order_of(3, tea))) == "paid");
  CHECK(told(shop.buy(order_of(4, tea))) == "sold_out");
  tea.stock.reset();
  shop.put({tea});
  CHECK(told(shop.buy(order_of(5, tea))) == "paid");
  CHECK(shop.taken("tea") == std::vector<std::int64_t>{6});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a replaced price is accepted within its validity, and the present one always", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 10'000);
  with_new_price(shop);
  shop.reopen();
  CHECK(bought_at(shop, 1, euros(120), kOpening + 1s) == "paid");
  CHECK(bought_at(shop, 2, euros(100), kOpening + 59s) == "paid");
  CHECK(shop.find(2)->price == euros(100));
  CHECK(shop.find(2)->total == euros(100));
  CHECK(shop.balances(1) == std::vector<Money>{euros(10'000 - 220)});
  CHECK(bought_at(shop, 3, euros(100), kOpening + 61s) == "price_changed");
  CHECK(bought_at(shop, 4, euros(110), kOpening + 1s) == "price_changed");
  CHECK(bought_at(shop, 5, {120, "GBP"}, kOpening + 1s) == "price_changed");
  CHECK(bought_at(shop, 6, euros(120), kOpening + 1h) == "paid");
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a refused price is told with the present one", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 10'000);
  const auto tea = with_new_price(shop, 0ms);
  auto order = order_of(1, tea, kOpening + 1s);
  order.price = euros(100);
  const auto refused = refusal_of(shop.buy(order));
  CHECK(refused.why == ShopRefusal::price_changed);
  CHECK(refused.price == euros(120));
  CHECK(shop.balances(1) == std::vector<Money>{euros(10'000)});
}

TEST_CASE_TEMPLATE("only the price before the present one is still accepted", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 10'000);
  auto tea = with_new_price(shop, 1h);
  CatalogueChange change;
  change.price_validity = 1h;
  change.now = kOpening + 10s;
  SUBCASE("after another price") {
    tea.price = euros(150);
    change.products = {tea};
    shop.change(change);
    CHECK(bought_at(shop, 1, euros(100), kOpening + 20s) == "price_changed");
    CHECK(bought_at(shop, 2, euros(120), kOpening + 20s) == "paid");
    CHECK(bought_at(shop, 3, euros(150), kOpening + 20s) == "paid");
  }
  SUBCASE("after another currency") {
    tea.price = {120, "GBP"};
    change.products = {tea};
    shop.change(change);
    CHECK(bought_at(shop, 1, euros(100), kOpening + 20s) == "price_changed");
    CHECK(bought_at(shop, 2, euros(120), kOpening + 20s) == "paid");
    CHECK(bought_at(shop, 3, {120, "GBP"}, kOpening + 20s) == "balance_insufficient");
  }
  SUBCASE("a change of something else leaves the price before and its validity") {
    tea.description.en = "Hot";
    change.products = {tea};
    shop.change(change);
    CHECK(bought_at(shop, 1, euros(100), kOpening + 59min) == "paid");
    CHECK(bought_at(shop, 2, euros(100), kOpening + 1h + 5s) == "price_changed");
  }
  shop.check_books({1});
}
