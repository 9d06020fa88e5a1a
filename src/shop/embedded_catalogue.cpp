#include "shop/embedded_catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "shop/catalogue_json.h"
#include "shop/embedded_books.h"
#include "shop/shop_records.h"

namespace tribune::shop {
namespace {

using store::ReadTransaction;
using store::WriteTransaction;

constexpr std::string_view kCatalogueCounter = "catalogue";

std::string sales_key(std::string_view product, std::string_view option) {
  return fmt::format("{}/{}", product, option);
}

std::uint64_t version_in(ReadTransaction& t) {
  return static_cast<std::uint64_t>(number_of_record(t.get(kShopCounters, kCatalogueCounter).value_or("")).value_or(0));
}

std::set<std::string> keys_in(ReadTransaction& t, std::string_view table) {
  std::set<std::string> keys;
  t.scan(table, "", [&](std::string_view key, std::string_view) {
    keys.emplace(key);
    return true;
  });
  return keys;
}

void put_product(WriteTransaction& t, const Product& product, const CatalogueChange& change) {
  const auto before = product_in(t, product.id);
  if (before && before->price != product.price)
    t.put(kFormerPrices, product.id, to_record(FormerPrice{before->price, change.now + change.price_validity}));
  t.put(kProducts, product.id, to_json(product));
}

void erase_product(WriteTransaction& t, const std::string& id) {
  t.erase(kProducts, id);
  t.erase(kFormerPrices, id);
}

ListedProduct listed(ReadTransaction& t, Product product) {
  ListedProduct made;
  for (const auto& option : product.options) made.taken.push_back(taken_in(t, product.id, option.id));
  if (product.options.empty()) made.taken.push_back(taken_in(t, product.id, ""));
  made.product = std::move(product);
  return made;
}

bool is_possible_id(std::string_view id) { return !id.empty() && id.size() <= kMaxIdBytes; }

/// WHY: the tables do not take other keys.
std::set<std::string> possible_ids(const std::vector<std::string>& ids) {
  std::set<std::string> possible;
  std::ranges::copy_if(ids, std::inserter(possible, possible.end()), is_possible_id);
  return possible;
}

/// What is erased by a change that replaces everything: what it does not put.
template <class Item>
std::set<std::string> left_out(std::set<std::string> present, const std::vector<Item>& put, std::string Item::*id) {
  for (const auto& item : put) present.erase(item.*id);
  return present;
}

}  // namespace

CatalogueView catalogue_in(ReadTransaction& t) {
  CatalogueView view;
  view.version = version_in(t);
  t.scan(kChannelNotes, "", [&](std::string_view, std::string_view record) {
    if (auto note = channel_note_of_json(record)) view.channels.push_back(std::move(*note));
    return true;
  });
  std::vector<Product> products;
  t.scan(kProducts, "", [&](std::string_view, std::string_view record) {
    if (auto product = product_of_json(record)) products.push_back(std::move(*product));
    return true;
  });
  for (auto& product : products) view.products.push_back(listed(t, std::move(product)));
  return view;
}

TakenPieces taken_pieces_in(ReadTransaction& t) {
  TakenPieces taken;
  taken.version = version_in(t);
  t.scan(kSalesCounts, "", [&](std::string_view key, std::string_view record) {
    const auto slash = std::min(key.find('/'), key.size());
    const auto option = key.substr(std::min(slash + 1, key.size()));
    taken.by_option[{std::string(key.substr(0, slash)), std::string(option)}] = number_of_record(record).value_or(0);
    return true;
  });
  return taken;
}

base::Result<std::uint64_t> change_catalogue_in(WriteTransaction& t, const CatalogueChange& change) {
  const auto version = version_in(t);
  if (change.if_version && *change.if_version != version)
    return base::failure(base::ErrorKind::conflict, base::Fault::client,
                         fmt::format("the catalogue has version {}", version));
  auto products = keys_in(t, kProducts), channels = keys_in(t, kChannelNotes);
  auto erased_products = possible_ids(change.erased_products), erased_channels = possible_ids(change.erased_channels);
  if (change.replaces_all) {
    erased_products = left_out(products, change.products, &Product::id);
    if (!change.keeps_channels) erased_channels = left_out(channels, change.channels, &ChannelNote::channel);
  }
  for (const auto& id : erased_products) {
    erase_product(t, id);
    products.erase(id);
  }
  for (const auto& id : erased_channels) {
    t.erase(kChannelNotes, id);
    channels.erase(id);
  }
  for (const auto& product : change.products) {
    put_product(t, product, change);
    products.insert(product.id);
  }
  for (const auto& note : change.channels) {
    t.put(kChannelNotes, note.channel, to_json(note));
    channels.insert(note.channel);
  }
  if (products.size() > kMaxProducts || channels.size() > kMaxChannelNotes)
    return base::failure(
        base::ErrorKind::too_large, base::Fault::client,
        fmt::format("a catalogue has at most {} products and {} channels", kMaxProducts, kMaxChannelNotes));
  t.put(kShopCounters, kCatalogueCounter, std::to_string(version + 1));
  return version + 1;
}

std::optional<Product> product_in(ReadTransaction& t, std::string_view id) {
  if (!is_possible_id(id)) return std::nullopt;
  const auto record = t.get(kProducts, id);
  if (!record) return std::nullopt;
  auto product = product_of_json(*record);
  if (!product) return std::nullopt;
  return std::move(*product);
}

bool is_accepted_price(ReadTransaction& t, const Product& product, const Money& price, base::WallTime now) {
  if (price == product.price) return true;
  const auto record = t.get(kFormerPrices, product.id);
  const auto former = record ? former_price_of_record(*record) : std::nullopt;
  return former && former->price == price && now < former->until;
}

std::int64_t taken_in(ReadTransaction& t, std::string_view product, std::string_view option) {
  return number_of_record(t.get(kSalesCounts, sales_key(product, option)).value_or("")).value_or(0);
}

void change_taken(WriteTransaction& t, std::string_view product, std::string_view option, std::int64_t by) {
  t.put(kSalesCounts, sales_key(product, option), std::to_string(taken_in(t, product, option) + by));
}

}  // namespace tribune::shop
