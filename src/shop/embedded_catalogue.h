#pragma once
// The catalogue in the tables of the embedded store.
//
// Tables and keys
//   products        {product}            every product, to_json()
//   former_prices   {product}            the price before the present one, while it may be accepted
//   channel_notes   {channel}            to_json()
//   sales           {product}/{option}   pieces that are sold or reserved; they stay when the product is erased
//   shop_counters   "catalogue"          the version

#include <optional>
#include <string_view>

#include "shop/shop_store.h"
#include "store/transactional_store.h"

namespace tribune::shop {

inline constexpr std::string_view kProducts = "products", kFormerPrices = "former_prices",
                                  kChannelNotes = "channel_notes", kSalesCounts = "sales";

CatalogueView catalogue_in(store::ReadTransaction&);
TakenPieces taken_pieces_in(store::ReadTransaction&);
/// As ShopStore::change_catalogue().
base::Result<std::uint64_t> change_catalogue_in(store::WriteTransaction&, const CatalogueChange&);

std::optional<Product> product_in(store::ReadTransaction&, std::string_view id);
/// Whether the price is the present one of the product, or the one before within its validity.
bool is_accepted_price(store::ReadTransaction&, const Product&, const Money& price, base::WallTime now);
/// Pieces that are sold or reserved; `option` is empty for a product without options.
std::int64_t taken_in(store::ReadTransaction&, std::string_view product, std::string_view option);
void change_taken(store::WriteTransaction&, std::string_view product, std::string_view option, std::int64_t by);

}  // namespace tribune::shop
