#pragma once
// Products, purchases and money as JSON of the API; src/api/openapi.json describes them. Pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/localized.h"
#include "api/page_query.h"
#include "base/json.h"
#include "shop/shop_store.h"

namespace tribune::api {

/// The text in this language; the English one where there is no other.
std::string_view in_language(const shop::ViewerText&, Language);

/// {amount, currency}
void write_money(base::json::Writer&, const shop::Money&);
/// Adds "balances": [{amount, currency}].
void write_balances(base::json::Writer&, const std::vector<shop::Money>&);
/// Adds "purchases": [purchase].
void write_purchases(base::json::Writer&, const std::vector<shop::Purchase>&, Language);

/// Whether the product is listed and can be bought at `now`.
bool is_listed(const shop::Product&, base::WallTime now);

inline constexpr std::size_t kMaxProductsOfPage = 500;
/// {products: [{id, kind, title, description?, picture?, price, channels?, valid_for?, valid_from?, valid_until?,
/// options?: [{id, title, left?}], left?}], next?}: a page of the products that are listed at `now`, by their ids. The
/// cursor of a page is the id of its last product, which may be gone.
std::string products_document(const shop::CatalogueView&, const PageQuery&, Language, base::WallTime now);
/// One of them; nullopt when it is not listed.
std::optional<std::string> product_document(const shop::CatalogueView&, std::string_view id, Language,
                                            base::WallTime now);

/// {id, state, method, product, kind, title, option?, option_title?, quantity, price, total, channels?, valid_from?,
/// valid_until?, created_at, deadline?, decided_at?, refunded_at?, reason?}
void write_purchase(base::json::Writer&, const shop::Purchase&, Language);
std::string purchase_document(const shop::Purchase&, Language);
/// {purchases, next?}
std::string purchases_document(const shop::PurchasePage&, Language);
/// The text of PurchasePage::next in the API, which needs no encoding in a URL; and back.
std::string purchase_cursor_text(std::string_view next);
std::string purchase_cursor_of(std::string_view text);

/// {entitlements: [{purchase, product, channels, from, until?}]}
std::string entitlements_document(const std::vector<shop::Entitlement>&);
std::string balances_document(const std::vector<shop::Money>&);
/// {added, balance}
std::string balance_change_document(const shop::BalanceChange&);

}  // namespace tribune::api
