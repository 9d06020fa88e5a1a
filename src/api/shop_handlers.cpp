#include "api/shop_handlers.h"

#include <algorithm>
#include <utility>

#include "api/account_documents.h"
#include "api/entitled_channels.h"
#include "api/idempotency_key.h"
#include "api/localized.h"
#include "api/page_query.h"
#include "api/request_body.h"
#include "api/responses.h"
#include "api/shop_documents.h"
#include "api/shop_problems.h"
#include "base/json.h"

namespace tribune::api {
namespace {

using http::Method;

constexpr std::size_t kMaxPurchasesOfPage = 100;
constexpr std::size_t kMaxMethodBytes = 32;
constexpr std::size_t kMaxVoucherBytes = 64;  // sixteen characters, and what people type between them

/// Adds the fields of a document in the client's language.
http::Response in_clients_language(const http::Request& request, http::Response response) {
  response.headers.add("Content-Language", language_of(request) == Language::ru ? "ru" : "en");
  response.headers.add("Vary", "Accept-Language");
  return response;
}

http::Response localized_page(const http::Request& request, const std::array<CachedDocument, 2>& pages) {
  return in_clients_language(request, answer_with(request, pages[static_cast<std::size_t>(language_of(request))]));
}

/// Answers with a document of the value, or with the problem.
template <class T, class Write>
shop::ShopAnswered<T> reply_privately(DeferredReply reply, Write write) {
  return [reply = std::move(reply), write](shop::ShopAnswer<T> answer) {
    reply.reply([answer = std::move(answer), write](const http::Request& request) {
      if (!answer) return shop_problem(request, answer.error());
      return in_clients_language(request, private_document(request, write(*answer, language_of(request))));
    });
  };
}

}  // namespace

http::Response channel_list(const http::Request& request, const CataloguePageSet& pages) {
  auto response = answer_with(request, pages.channel_pages[static_cast<std::size_t>(language_of(request))]);
  response.headers.add("Vary", "Authorization");
  return in_clients_language(request, std::move(response));
}

ShopHandlers::ShopHandlers(accounts::AccountService& service, shop::ShopService& shop, SessionGate& gate,
                           const CataloguePages& pages, const base::Clock& clock)
    : service_(service), shop_(shop), gate_(gate), pages_(pages), clock_(clock) {}

std::vector<runtime::Route> ShopHandlers::routes() {
  const auto of_account = [this](Method method, std::string_view pattern,
                                 void (ShopHandlers::*handler)(runtime::Worker&, Exchange, const Claims&)) {
    return gate_.session_route(method, pattern,
                               [this, handler](runtime::Worker& worker, Exchange exchange, const Claims& claims,
                                               const auto&) { (this->*handler)(worker, std::move(exchange), claims); });
  };
  return {
      {{Method::get}, "/api/v1/products", [this](auto&, auto exchange, const auto&) { products(std::move(exchange)); }},
      {{Method::get},
       "/api/v1/products/{product}",
       [this](auto&, auto exchange, const auto& parameters) { product(std::move(exchange), parameters["product"]); }},
      of_account(Method::post, "/api/v1/purchases", &ShopHandlers::buy),
      of_account(Method::get, "/api/v1/purchases", &ShopHandlers::purchases),
      gate_.session_route(Method::get, "/api/v1/purchases/{purchase}",
                          [this](runtime::Worker& worker, Exchange exchange, const Claims& claims,
                                 const http::PathParameters& parameters) {
                            purchase(worker, std::move(exchange), claims, parameters["purchase"]);
                          }),
      of_account(Method::post, "/api/v1/vouchers/redeem", &ShopHandlers::redeem),
      of_account(Method::get, "/api/v1/balance", &ShopHandlers::balance),
      of_account(Method::get, "/api/v1/entitlements", &ShopHandlers::entitlements)};
}

void ShopHandlers::channels(runtime::Worker& worker, Exchange exchange) {
  auto claims = gate_.pass(worker, *exchange);
  if (!claims) return exchange->reply(std::move(claims.error()));
  channels_of_account(worker, std::move(exchange), *claims);
}

void ShopHandlers::channels_of_account(runtime::Worker& worker, Exchange exchange,
                                       const std::shared_ptr<const Claims>& claims) {
  const auto write = [this](const http::Request& request, const Claims& known) {
    return in_clients_language(
        request, private_document(request, channels_document(pages_.get()->channels, language_of(request), &known,
                                                             clock_.wall_now())));
  };
  if (!claims->has_more_channels) {
    auto response = write(exchange->request(), *claims);
    return exchange->reply(std::move(response));
  }
  // The token has not everything: what the account owns is looked up.
  const DeferredReply reply(worker.loop, std::move(exchange));
  shop_.entitlements(claims->account, [claims, reply, write](shop::ShopAnswer<std::vector<shop::Entitlement>> owned) {
    reply.reply([claims, owned = std::move(owned), write](const http::Request& request) {
      if (!owned) return shop_problem(request, owned.error());
      auto known = *claims;
      known.channels = entitled_channels(*owned, claims->issued, claims->expires);
      return write(request, known);
    });
  });
}

void ShopHandlers::products(Exchange exchange) {
  const auto& request = exchange->request();
  const auto pages = pages_.get();
  if (request.query.empty()) return exchange->reply(localized_page(request, pages->product_pages));
  const auto page = page_query(request.query, kMaxProductsOfPage);
  if (!page) return exchange->reply(problem(request, http::problems::bad_request, page.error()));
  const auto document =
      cached_document(products_document(*pages->catalogue, *page, language_of(request), clock_.wall_now()));
  auto response = in_clients_language(request, answer_with(request, document));
  exchange->reply(std::move(response));
}

void ShopHandlers::product(Exchange exchange, std::string_view id) {
  const auto& request = exchange->request();
  auto document = product_document(*pages_.get()->catalogue, id, language_of(request), clock_.wall_now());
  shop::ShopError unknown{shop::ShopFailure::refused, {}};
  auto response = document ? in_clients_language(request, answer_with(request, cached_document(std::move(*document))))
                           : shop_problem(request, unknown);
  exchange->reply(std::move(response));
}

void ShopHandlers::buy(runtime::Worker& worker, Exchange exchange, const Claims& claims) {
  const auto& request = exchange->request();
  RequestBody body(request);
  shop::PurchaseRequest order;
  order.account = claims.account;
  order.product = body.text("product", 1, shop::kMaxIdBytes);
  order.option = body.optional_text("option", shop::kMaxIdBytes);
  order.quantity = body.optional_whole("quantity", 1, shop::kMaxQuantity).value_or(1);
  order.price = body.money("price");
  order.method = body.optional_text("method", kMaxMethodBytes);
  if (order.method.empty()) order.method = "balance";
  if (const auto wrong = body.finish()) return exchange->reply(problem(request, body.problem_type(), *wrong));
  auto key = idempotency_key_of(request);
  if (!key) return exchange->reply(idempotency_key_missing(request));
  order.idempotency_key = std::move(*key);
  const DeferredReply reply(worker.loop, std::move(exchange));
  shop_.purchase(std::move(order), [this, reply, claims](shop::ShopAnswer<shop::Outcome<shop::Purchase>> outcome) {
    if (outcome) return reply_with_purchase(reply, claims, std::move(*outcome));
    reply.reply([error = outcome.error()](const http::Request& r) { return shop_problem(r, error); });
  });
}

/// With an access token that has what was bought.
void ShopHandlers::reply_with_purchase(const DeferredReply& reply, const Claims& claims,
                                       shop::Outcome<shop::Purchase> outcome) {
  shop_.entitlements(claims.account, [this, reply, claims, outcome = std::move(outcome)](
                                         shop::ShopAnswer<std::vector<shop::Entitlement>> owned) {
    reply.reply([this, claims, outcome, owned = std::move(owned)](const http::Request& request) {
      const auto& bought = std::get<shop::Purchase>(outcome.result);
      const bool is_pending = bought.state == shop::PurchaseState::pending;
      base::json::Writer w;
      write_purchase(w.begin_object().key("purchase"), bought, language_of(request));
      // Without what is owned there is no token: the purchase stands, and the app refreshes its tokens.
      if (owned) {
        const auto now = clock_.wall_now();
        write_access_token(
            w, gate_.credentials().access_token(claims.account, claims.device, *owned, *service_.settings(), now), now);
      }
      auto response = json_response(is_pending ? 202 : 201, w.end_object().take());
      response.headers.add("Location", "/api/v1/purchases/" + accounts::to_text(bought.id));
      if (outcome.is_repeated) response.headers.add("Idempotency-Replayed", "true");
      return in_clients_language(request, std::move(response));
    });
  });
}

void ShopHandlers::purchases(runtime::Worker& worker, Exchange exchange, const Claims& claims) {
  const auto& request = exchange->request();
  const auto page = page_query(request.query, kMaxPurchasesOfPage);
  if (!page) return exchange->reply(problem(request, http::problems::bad_request, page.error()));
  auto from = purchase_cursor_of(page->cursor);
  const DeferredReply reply(worker.loop, std::move(exchange));
  shop_.purchases(claims.account, std::move(from), page->limit,
                  reply_privately<shop::PurchasePage>(reply, [](const shop::PurchasePage& found, Language language) {
                    return purchases_document(found, language);
                  }));
}

void ShopHandlers::purchase(runtime::Worker& worker, Exchange exchange, const Claims& claims, std::string_view text) {
  const auto id = accounts::parse_id(text);
  const DeferredReply reply(worker.loop, std::move(exchange));
  shop_.purchase_by_id(id.value_or(0), [reply, account = claims.account](shop::ShopAnswer<shop::Purchase> found) {
    reply.reply([found = std::move(found), account](const http::Request& request) {
      const bool is_missing = found ? found->account != account : found.error().what == shop::ShopFailure::not_found;
      if (is_missing) return shop_problem(request, {shop::ShopFailure::refused, {shop::ShopRefusal::purchase_unknown}});
      if (!found) return shop_problem(request, found.error());
      return in_clients_language(request, private_document(request, purchase_document(*found, language_of(request))));
    });
  });
}

void ShopHandlers::redeem(runtime::Worker& worker, Exchange exchange, const Claims& claims) {
  const auto& request = exchange->request();
  RequestBody body(request);
  const auto code = body.text("code", 1, kMaxVoucherBytes);
  if (const auto wrong = body.finish()) return exchange->reply(problem(request, body.problem_type(), *wrong));
  auto key = idempotency_key_of(request);
  if (!key) return exchange->reply(idempotency_key_missing(request));
  const auto quota = gate_.limits().count_voucher_of_account(claims.account, clock_.steady_now());
  if (quota.retry_after) {
    RequestLimits::add_fields(exchange->also, quota);
    return exchange->reply(over_limit(request, *quota.retry_after));
  }
  const DeferredReply reply(worker.loop, std::move(exchange));
  shop_.redeem(
      claims.account, code, std::move(*key), [reply](shop::ShopAnswer<shop::Outcome<shop::BalanceChange>> outcome) {
        reply.reply([outcome = std::move(outcome)](const http::Request& r) {
          if (!outcome) return shop_problem(r, outcome.error());
          auto response = json_response(200, balance_change_document(std::get<shop::BalanceChange>(outcome->result)));
          if (outcome->is_repeated) response.headers.add("Idempotency-Replayed", "true");
          return response;
        });
      });
}

void ShopHandlers::balance(runtime::Worker& worker, Exchange exchange, const Claims& claims) {
  const DeferredReply reply(worker.loop, std::move(exchange));
  shop_.balances(claims.account, reply_privately<std::vector<shop::Money>>(reply, [](const auto& balances, Language) {
                   return balances_document(balances);
                 }));
}

void ShopHandlers::entitlements(runtime::Worker& worker, Exchange exchange, const Claims& claims) {
  const DeferredReply reply(worker.loop, std::move(exchange));
  shop_.entitlements(claims.account,
                     reply_privately<std::vector<shop::Entitlement>>(
                         reply, [](const auto& owned, Language) { return entitlements_document(owned); }));
}

}  // namespace tribune::api
