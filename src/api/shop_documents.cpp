#include "api/shop_documents.h"

#include <algorithm>

#include "accounts/account.h"
#include "base/rfc3339.h"

namespace tribune::api {
namespace {

using base::json::Writer;

void write_text_unless_empty(Writer& w, std::string_view name, std::string_view text) {
  if (!text.empty()) w.member(name, text);
}

void write_time_if_set(Writer& w, std::string_view name, std::optional<base::WallTime> time) {
  if (time && *time != base::WallTime()) w.member(name, base::rfc3339(*time));
}

/// "all", or a list of ids.
void write_channels(Writer& w, bool all, const std::vector<std::string>& channels) {
  w.key("channels");
  if (all) {
    w.value("all");
    return;
  }
  w.begin_array();
  for (const auto& channel : channels) w.value(channel);
  w.end_array();
}

void write_left(Writer& w, std::optional<std::int64_t> stock, std::int64_t taken) {
  if (stock) w.member("left", std::max<std::int64_t>(0, *stock - taken));
}

void write_product(Writer& w, const shop::ListedProduct& listed, Language language) {
  const auto& product = listed.product;
  w.begin_object().member("id", product.id).member("kind", to_string(product.kind));
  w.member("title", in_language(product.title, language));
  write_text_unless_empty(w, "description", in_language(product.description, language));
  write_text_unless_empty(w, "picture", product.picture);
  write_money(w.key("price"), product.price);
  if (product.kind != shop::ProductKind::goods) {
    const auto& grant = product.grant;
    write_channels(w, grant.all_channels, grant.channels);
    if (grant.valid_for) w.member("valid_for", std::int64_t{grant.valid_for->count()});
    write_time_if_set(w, "valid_from", grant.valid_from);
    write_time_if_set(w, "valid_until", grant.valid_until);
  }
  if (product.options.empty()) {
    write_left(w, product.stock, listed.taken.front());
  } else {
    w.key("options").begin_array();
    for (std::size_t i = 0; i < product.options.size(); ++i) {
      const auto& option = product.options[i];
      w.begin_object().member("id", option.id).member("title", in_language(option.title, language));
      write_left(w, option.stock, listed.taken[i]);
      w.end_object();
    }
    w.end_array();
  }
  w.end_object();
}

}  // namespace

std::string_view in_language(const shop::ViewerText& text, Language language) {
  return language == Language::ru && !text.ru.empty() ? text.ru : text.en;
}

void write_money(Writer& w, const shop::Money& money) {
  w.begin_object().member("amount", money.amount).member("currency", money.currency).end_object();
}

void write_balances(Writer& w, const std::vector<shop::Money>& balances) {
  w.key("balances").begin_array();
  for (const auto& balance : balances) write_money(w, balance);
  w.end_array();
}

void write_purchases(Writer& w, const std::vector<shop::Purchase>& purchases, Language language) {
  w.key("purchases").begin_array();
  for (const auto& purchase : purchases) write_purchase(w, purchase, language);
  w.end_array();
}

bool is_listed(const shop::Product& product, base::WallTime now) {
  return product.is_on_sale && (!product.grant.valid_until || *product.grant.valid_until > now);
}

std::string products_document(const shop::CatalogueView& catalogue, const PageQuery& page, Language language,
                              base::WallTime now) {
  Writer w;
  w.begin_object().key("products").begin_array();
  std::size_t count = 0;
  std::string last, next;
  for (const auto& listed : catalogue.products) {
    if (listed.product.id <= page.cursor || !is_listed(listed.product, now)) continue;
    if (count == page.limit) {
      next = last;
      break;
    }
    write_product(w, listed, language);
    last = listed.product.id;
    ++count;
  }
  w.end_array();
  if (!next.empty()) w.member("next", next);
  return w.end_object().take();
}

std::optional<std::string> product_document(const shop::CatalogueView& catalogue, std::string_view id,
                                            Language language, base::WallTime now) {
  const auto found = std::find_if(catalogue.products.begin(), catalogue.products.end(),
                                  [&](const auto& listed) { return listed.product.id == id; });
  if (found == catalogue.products.end() || !is_listed(found->product, now)) return std::nullopt;
  Writer w;
  write_product(w, *found, language);
  return w.take();
}

void write_purchase(Writer& w, const shop::Purchase& purchase, Language language) {
  w.begin_object().member("id", accounts::to_text(purchase.id)).member("state", to_string(purchase.state));
  w.member("method", purchase.method).member("product", purchase.product).member("kind", to_string(purchase.kind));
  w.member("title", in_language(purchase.title, language));
  write_text_unless_empty(w, "option", purchase.option);
  write_text_unless_empty(w, "option_title", in_language(purchase.option_title, language));
  write_money(w.member("quantity", purchase.quantity).key("price"), purchase.price);
  write_money(w.key("total"), purchase.total);
  const auto& grant = purchase.grant;
  if (purchase.kind != shop::ProductKind::goods) {
    write_channels(w, grant.all_channels, grant.channels);
    write_time_if_set(w, "valid_from", grant.valid_from);
    write_time_if_set(w, "valid_until", grant.valid_until);
  }
  w.member("created_at", base::rfc3339(purchase.created));
  if (purchase.state == shop::PurchaseState::pending) write_time_if_set(w, "deadline", purchase.deadline);
  write_time_if_set(w, "decided_at", purchase.decided);
  write_time_if_set(w, "refunded_at", purchase.refunded);
  write_text_unless_empty(w, "reason", purchase.reason);
  w.end_object();
}

std::string purchase_document(const shop::Purchase& purchase, Language language) {
  Writer w;
  write_purchase(w, purchase, language);
  return w.take();
}

std::string purchases_document(const shop::PurchasePage& page, Language language) {
  Writer w;
  w.begin_object();
  write_purchases(w, page.purchases, language);
  if (!page.next.empty()) w.member("next", purchase_cursor_text(page.next));
  return w.end_object().take();
}

std::string purchase_cursor_text(std::string_view next) {
  std::string text(next);
  std::replace(text.begin(), text.end(), '/', '-');
  return text;
}

std::string purchase_cursor_of(std::string_view text) {
  std::string next(text);
  std::replace(next.begin(), next.end(), '-', '/');
  return next;
}

std::string entitlements_document(const std::vector<shop::Entitlement>& entitlements) {
  Writer w;
  w.begin_object().key("entitlements").begin_array();
  for (const auto& entitlement : entitlements) {
    w.begin_object().member("purchase", accounts::to_text(entitlement.purchase));
    w.member("product", entitlement.product);
    write_channels(w, entitlement.all_channels, entitlement.channels);
    w.member("from", base::rfc3339(entitlement.from));
    write_time_if_set(w, "until", entitlement.until);
    w.end_object();
  }
  return w.end_array().end_object().take();
}

std::string balances_document(const std::vector<shop::Money>& balances) {
  Writer w;
  w.begin_object();
  write_balances(w, balances);
  return w.end_object().take();
}

std::string balance_change_document(const shop::BalanceChange& change) {
  Writer w;
  w.begin_object();
  write_money(w.key("added"), change.added);
  write_money(w.key("balance"), change.balance);
  return w.end_object().take();
}

}  // namespace tribune::api
