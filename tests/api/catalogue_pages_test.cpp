#include "api/catalogue_pages.h"

#include <doctest/doctest.h>

#include "base/json.h"

using namespace tribune;
using namespace tribune::api;
using namespace std::chrono_literals;

namespace {

const base::WallTime kListedAt{1'750'000'000s};

contracts::Event paid_and_free() {
  contracts::Event event;
  event.channels.resize(3);
  event.channels[0].id = "free";
  event.channels[0].title = "Free for all";
  event.channels[0].source = "http://secret-origin/index.m3u8";
  event.channels[1].id = "main";
  event.channels[2].id = "backstage";
  event.channels[1].access = event.channels[2].access = contracts::ChannelAccess::paid;
  return event;
}

shop::ListedProduct product(std::string id, shop::ProductKind kind, std::int64_t amount,
                            std::vector<std::string> channels) {
  shop::ListedProduct listed;
  listed.product.id = std::move(id);
  listed.product.kind = kind;
  listed.product.title.en = "title";
  listed.product.price = {amount, "EUR"};
  listed.product.grant.channels = std::move(channels);
  listed.taken = {0};
  return listed;
}

base::json::Value channel_page(const shop::CatalogueView& catalogue, const contracts::AccountClaims* claims = nullptr,
                               base::WallTime now = kListedAt, Language language = Language::en) {
  const auto channels = listed_channels(paid_and_free(), {}, catalogue, now);
  auto value = base::json::parse(channels_document(channels, language, claims, now));
  REQUIRE(value);
  return std::move(*value);
}

const base::json::Value& channel_in(const base::json::Value& page, std::size_t at) {
  return page.find("channels")->array.at(at);
}

std::string joined_products(const base::json::Value& channel) {
  std::string text;
  if (const auto* products = channel.find("products"))
    for (const auto& id : products->array) text += id.string + " ";
  return text;
}

}  // namespace

TEST_CASE("channels are listed in their order, with the URL for a player and without their source") {
  const auto page = channel_page({});
  CHECK(channel_in(page, 0).text("id") == "free");
  CHECK(channel_in(page, 0).text("title") == "Free for all");
  CHECK(channel_in(page, 0).text("playback_url") == "/live/free/index.m3u8");
  CHECK(channel_in(page, 1).text("title") == "main");
  ApiSettings settings;
  settings.balancer_url = "https://live.example/";
  const auto channels = listed_channels(paid_and_free(), settings, {}, kListedAt);
  CHECK(channels[1].playback_url == "https://live.example/live/main/index.m3u8");
  CHECK(channels_document(channels, Language::en, nullptr, kListedAt).find("secret-origin") == std::string::npos);
}

TEST_CASE("a paid channel is locked without an account, and owned by an account with it") {
  auto claims = contracts::AccountClaims{1, 2, 0, 4'000'000'000, {{"main", 0, 0}}};
  const auto locked = channel_page({});
  const auto owned = channel_page({}, &claims);
  CHECK(channel_in(locked, 0).text("state") == "free");
  CHECK(channel_in(locked, 0).flag("is_playable") == true);
  CHECK(channel_in(locked, 1).text("state") == "locked");
  CHECK(channel_in(locked, 1).flag("is_playable") == false);
  CHECK(channel_in(owned, 1).text("state") == "owned");
  CHECK(channel_in(owned, 1).flag("is_playable") == true);
  CHECK(channel_in(owned, 2).text("state") == "locked");
  claims.channels = {{"", 0, 0}};
  CHECK(channel_in(channel_page({}, &claims), 2).text("state") == "owned");
}

TEST_CASE("a channel costs what its cheapest product of kind channel costs, and others count without one") {
  shop::CatalogueView catalogue;
  catalogue.products = {product("both", shop::ProductKind::bundle, 300, {"backstage", "main"}),
                        product("dear", shop::ProductKind::channel, 900, {"main"}),
                        product("main", shop::ProductKind::channel, 500, {"main"}),
                        product("season", shop::ProductKind::pass, 400, {})};
  catalogue.products[3].product.grant.all_channels = true;
  auto hidden = product("hidden", shop::ProductKind::channel, 1, {"main"});
  hidden.product.is_on_sale = false;
  catalogue.products.push_back(hidden);
  const auto page = channel_page(catalogue);
  CHECK(channel_in(page, 1).find("price")->whole("amount") == 500);
  CHECK(channel_in(page, 2).find("price")->whole("amount") == 300);
  CHECK(joined_products(channel_in(page, 1)) == "both dear main season ");
  CHECK(joined_products(channel_in(page, 2)) == "both season ");
  CHECK(channel_in(page, 0).find("price") == nullptr);
  auto yen = product("yen", shop::ProductKind::channel, 300, {"main"});
  yen.product.price.currency = "JPY";
  catalogue.products.push_back(yen);
  CHECK(channel_in(channel_page(catalogue), 1).find("price")->text("currency") == "EUR");
}

TEST_CASE("what the catalogue says about a channel is listed in the language of the client") {
  shop::CatalogueView catalogue;
  catalogue.channels = {
      {"main", {"Main stage", "Главная сцена"}, "/posters/main.jpg", {"Opening", ""}, kListedAt + 1min}};
  const auto ru = channel_page(catalogue, nullptr, kListedAt, Language::ru);
  CHECK(channel_in(ru, 1).text("title") == "Главная сцена");
  CHECK(channel_in(ru, 1).text("now") == "Opening");
  CHECK(channel_in(ru, 1).text("poster") == "/posters/main.jpg");
  CHECK(channel_in(ru, 1).text("opens_at") == "2025-06-15T15:07:40.000Z");
}

TEST_CASE("a channel can be played from the time when it opens, and a page is rendered again then") {
  base::ManualClock clock{kListedAt};
  CataloguePages pages(clock);
  pages.set_event(paid_and_free(), {});
  auto catalogue = std::make_shared<shop::CatalogueView>();
  catalogue->channels = {{"free", {}, "", {}, kListedAt + 10s}};
  catalogue->products = {product("main", shop::ProductKind::channel, 500, {"main"})};
  catalogue->products[0].product.grant.valid_until = kListedAt + 20s;
  pages.set_catalogue(catalogue);
  const auto first = pages.get();
  pages.tick();
  CHECK(pages.get() == first);
  clock.advance(10s);
  pages.tick();
  const auto second = pages.get();
  CHECK(second->channel_pages[0].etag != first->channel_pages[0].etag);
  CHECK(second->product_pages[0].etag == first->product_pages[0].etag);
  clock.advance(10s);
  pages.tick();
  CHECK(pages.get()->product_pages[0].etag != first->product_pages[0].etag);
  CHECK(pages.get()->channels[1].products.empty());
}
