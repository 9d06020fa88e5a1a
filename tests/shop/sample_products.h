#pragma once
// Products for the tests of the catalogue.

#include "shop/catalogue.h"

namespace tribune::test {

/// Scarves in two forms.
inline shop::Product sample_goods() {
  shop::Product product;
  product.id = "scarf";
  product.kind = shop::ProductKind::goods;
  product.title = {"Scarf", "Шарф"};
  product.description = {"Wool.\nMade for \"the final\", 2 m", "Шерсть"};
  product.picture = "https://shop.example/scarf.jpg?size=2";
  product.price = {1'500, "EUR"};
  product.options = {{"red", {"Red", ""}, 100}, {"blue", {"Blue: 50|50 \\ dyed", ""}, std::nullopt}};
  return product;
}

/// All channels for 30 days.
inline shop::Product sample_pass() {
  shop::Product product;
  product.id = "season";
  product.kind = shop::ProductKind::pass;
  product.title = {"Season pass", "Сезонный абонемент"};
  product.picture = "/pictures/season.jpg";
  product.price = {4'900, "EUR"};
  product.grant.all_channels = true;
  product.grant.valid_for = std::chrono::hours(30 * 24);
  return product;
}

/// Two channels between two dates.
inline shop::Product sample_bundle() {
  shop::Product product;
  product.id = "finals";
  product.kind = shop::ProductKind::bundle;
  product.title = {"Finals", ""};
  product.price = {0, "JPY"};
  product.grant.channels = {"main", "second"};
  product.grant.valid_from = base::WallTime(std::chrono::seconds(1'780'000'000));
  product.grant.valid_until = base::WallTime(std::chrono::milliseconds(1'790'000'000'250));
  product.is_on_sale = false;
  return product;
}

/// One channel without end.
inline shop::Product sample_channel() {
  shop::Product product;
  product.id = "channel-1.main_hd";
  product.kind = shop::ProductKind::channel;
  product.title = {"Main channel", ""};
  product.price = {shop::kMaxAmount, "KWD"};
  product.grant.channels = {"main"};
  return product;
}

inline shop::ChannelNote sample_note() {
  shop::ChannelNote note;
  note.channel = "main";
  note.title = {"Main stage", "Главная сцена"};
  note.poster = "/posters/main.jpg";
  note.now = {"Opening", ""};
  note.opens_at = base::WallTime(std::chrono::seconds(1'780'344'000));
  return note;
}

}  // namespace tribune::test
