#include "api/sales_admin.h"

#include <charconv>
#include <utility>

#include "api/account_problems.h"
#include "api/deferred_reply.h"
#include "api/idempotency_key.h"
#include "api/page_query.h"
#include "api/request_body.h"
#include "api/responses.h"
#include "api/shop_documents.h"
#include "api/shop_problems.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::api {
namespace {

using http::Method;
using runtime::Worker;

constexpr std::size_t kMaxListedPurchases = 1'000, kMaxJournalPage = 1'000;
constexpr std::size_t kMaxTimeBytes = 64;

std::string decoded_login(std::string_view text) { return http::percent_decode(text).value_or(std::string()); }

std::uint64_t id_of(std::string_view text) { return accounts::parse_id(text).value_or(0); }

http::Response wrong_request(const Localized& why) { return http::problem(http::problems::bad_request, why.en); }

/// Answers with a document of the value, or with the problem.
template <class T, class Write>
shop::ShopAnswered<T> reply_with_document(DeferredReply reply, int status, Write write) {
  return [reply = std::move(reply), status, write](shop::ShopAnswer<T> answer) {
    reply.reply([answer = std::move(answer), status, write](const http::Request& request) {
      return answer ? json_response(status, write(*answer)) : shop_problem(request, answer.error());
    });
  };
}

shop::ShopAnswered<shop::Purchase> reply_with_state(const DeferredReply& reply) {
  return reply_with_document<shop::Purchase>(
      reply, 200, [](const shop::Purchase& purchase) { return purchase_document(purchase, Language::en); });
}

/// Continues with the account of the login, or answers with the problem.
void with_account(accounts::AccountService& service, std::string_view login, const DeferredReply& reply,
                  std::function<void(accounts::AccountId)> next) {
  service.account_by_login(decoded_login(login),
                           [reply, next = std::move(next)](accounts::Answer<accounts::Account> account) {
                             if (account) return next(account->id);
                             reply.reply([refused = std::move(account.error())](const http::Request& request) {
                               return problem_of(request, refused);
                             });
                           });
}

void write_batch(base::json::Writer& w, const shop::VoucherBatch& batch) {
  w.begin_object().member("id", accounts::to_text(batch.id));
  write_money(w.key("money"), batch.money);
  w.member("count", batch.count).member("redeemed", batch.redeemed).member("is_void", batch.is_void);
  w.member("created_at", base::rfc3339(batch.created)).member("expires_at", base::rfc3339(batch.expires));
  w.member("note", batch.note).end_object();
}

std::string batches_document(const std::vector<shop::VoucherBatch>& batches) {
  base::json::Writer w;
  w.begin_object().key("batches").begin_array();
  for (const auto& batch : batches) write_batch(w, batch);
  return w.end_array().end_object().take();
}

std::string issued_document(const shop::IssuedVouchers& issued) {
  base::json::Writer w;
  write_batch(w.begin_object().key("batch"), issued.batch);
  w.key("codes").begin_array();
  for (const auto& code : issued.codes) w.value(code);
  return w.end_array().end_object().take();
}

/// {transactions: [...], next?}, each as shop::to_json() writes it.
std::string journal_document(const std::vector<shop::JournalTransaction>& transactions) {
  std::string text = "{\"transactions\":[";
  for (const auto& transaction : transactions) {
    if (&transaction != &transactions.front()) text += ",\n";
    text += to_json(transaction);
  }
  text += "]";
  if (transactions.size() == kMaxJournalPage) text += ",\"next\":" + std::to_string(transactions.back().number + 1);
  return text + "}";
}

}  // namespace

std::vector<runtime::Route> SalesAdmin::routes() {
  using Handler = void (SalesAdmin::*)(Worker&, Exchange);
  using NamedHandler = void (SalesAdmin::*)(Worker&, Exchange, std::string_view);
  const auto plain = [this](Method method, std::string_view pattern, Handler handler) {
    return runtime::Route{{method}, pattern, [this, handler](auto& worker, auto exchange, const auto&) {
                            (this->*handler)(worker, std::move(exchange));
                          }};
  };
  const auto named = [this](Method method, std::string_view pattern, NamedHandler handler) {
    return runtime::Route{{method}, pattern, [this, handler](auto& worker, auto exchange, const auto& parameters) {
                            (this->*handler)(worker, std::move(exchange), parameters["name"]);
                          }};
  };
  return {named(Method::get, "/purchases/{name}", &SalesAdmin::show_purchase),
          named(Method::post, "/purchases/{name}/settle", &SalesAdmin::settle),
          named(Method::post, "/purchases/{name}/refund", &SalesAdmin::refund),
          named(Method::get, "/accounts/{name}/purchases", &SalesAdmin::list_purchases),
          named(Method::get, "/accounts/{name}/balance", &SalesAdmin::show_balance),
          named(Method::post, "/accounts/{name}/balance", &SalesAdmin::adjust_balance),
          plain(Method::get, "/vouchers", &SalesAdmin::list_vouchers),
          plain(Method::post, "/vouchers", &SalesAdmin::create_vouchers),
          named(Method::post, "/vouchers/{name}/void", &SalesAdmin::void_vouchers),
          plain(Method::get, "/journal", &SalesAdmin::journal)};
}

void SalesAdmin::show_purchase(Worker& worker, Exchange exchange, std::string_view id) {
  shop_.purchase_by_id(id_of(id), reply_with_state(DeferredReply(worker.loop, std::move(exchange))));
}

void SalesAdmin::settle(Worker& worker, Exchange exchange, std::string_view id) {
  RequestBody body(exchange->request());
  const bool is_paid = body.flag("paid");
  auto reason = body.optional_text("reason", accounts::kMaxReasonBytes);
  if (const auto wrong = body.finish()) return exchange->reply(wrong_request(*wrong));
  shop_.settle(id_of(id), is_paid, std::move(reason),
               reply_with_state(DeferredReply(worker.loop, std::move(exchange))));
}

void SalesAdmin::refund(Worker& worker, Exchange exchange, std::string_view id) {
  RequestBody body(exchange->request());
  auto reason = body.text("reason", 1, accounts::kMaxReasonBytes);
  const bool keeps_stock = body.optional_flag("keeps_stock");
  if (const auto wrong = body.finish()) return exchange->reply(wrong_request(*wrong));
  auto key = idempotency_key_of(exchange->request());
  if (!key) return exchange->reply(idempotency_key_missing(exchange->request()));
  shop_.refund(id_of(id), std::move(reason), !keeps_stock, std::move(*key),
               reply_with_state(DeferredReply(worker.loop, std::move(exchange))));
}

void SalesAdmin::list_purchases(Worker& worker, Exchange exchange, std::string_view login) {
  const auto page = page_query(exchange->request().query, kMaxListedPurchases);
  if (!page) return exchange->reply(wrong_request(page.error()));
  const std::string name(login);
  const DeferredReply reply(worker.loop, std::move(exchange));
  with_account(service_, name, reply, [this, reply, page = *page](accounts::AccountId account) {
    shop_.purchases(account, purchase_cursor_of(page.cursor), page.limit,
                    reply_with_document<shop::PurchasePage>(reply, 200, [](const shop::PurchasePage& found) {
                      return purchases_document(found, Language::en);
                    }));
  });
}

void SalesAdmin::show_balance(Worker& worker, Exchange exchange, std::string_view login) {
  const std::string name(login);
  const DeferredReply reply(worker.loop, std::move(exchange));
  with_account(service_, name, reply, [this, reply](accounts::AccountId account) {
    shop_.balances(account, reply_with_document<std::vector<shop::Money>>(reply, 200, balances_document));
  });
}

void SalesAdmin::adjust_balance(Worker& worker, Exchange exchange, std::string_view login) {
  RequestBody body(exchange->request());
  const auto money = body.money("money", -shop::kMaxAmount);
  const auto reason = body.text("reason", 1, accounts::kMaxReasonBytes);
  if (const auto wrong = body.finish()) return exchange->reply(wrong_request(*wrong));
  const auto key = idempotency_key_of(exchange->request());
  if (!key) return exchange->reply(idempotency_key_missing(exchange->request()));
  const std::string name(login);
  const DeferredReply reply(worker.loop, std::move(exchange));
  with_account(service_, name, reply, [this, reply, money, reason, key](accounts::AccountId account) {
    shop_.adjust_balance(account, money, reason, *key,
                         reply_with_document<shop::BalanceChange>(reply, 200, balance_change_document));
  });
}

void SalesAdmin::list_vouchers(Worker& worker, Exchange exchange) {
  shop_.voucher_batches(reply_with_document<std::vector<shop::VoucherBatch>>(
      DeferredReply(worker.loop, std::move(exchange)), 200, batches_document));
}

void SalesAdmin::create_vouchers(Worker& worker, Exchange exchange) {
  RequestBody body(exchange->request());
  auto money = body.money("money", 1);
  const auto count = body.optional_whole("count", 1, shop::kMaxVouchersOfBatch).value_or(1);
  const auto expires = base::parse_rfc3339(body.text("expires_at", 1, kMaxTimeBytes));
  auto note = body.optional_text("note", accounts::kMaxReasonBytes);
  if (const auto wrong = body.finish()) return exchange->reply(wrong_request(*wrong));
  if (!expires) return exchange->reply(wrong_request({"\"expires_at\" must be a time as in RFC 3339", ""}));
  shop_.create_vouchers(
      std::move(money), static_cast<std::size_t>(count), *expires, std::move(note),
      reply_with_document<shop::IssuedVouchers>(DeferredReply(worker.loop, std::move(exchange)), 201, issued_document));
}

void SalesAdmin::void_vouchers(Worker& worker, Exchange exchange, std::string_view batch) {
  shop_.void_vouchers(
      id_of(batch),
      reply_with_document<std::uint64_t>(DeferredReply(worker.loop, std::move(exchange)), 200, [](std::uint64_t id) {
        base::json::Writer w;
        return w.begin_object().member("id", accounts::to_text(id)).end_object().take();
      }));
}

void SalesAdmin::journal(Worker& worker, Exchange exchange) {
  const auto text = http::query_decoded(exchange->request().query, "from").value_or("1");
  std::uint64_t from = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), from);
  if (error != std::errc{} || end != text.data() + text.size())
    return exchange->reply(wrong_request({"\"from\" must be the number of a transaction", ""}));
  shop_.journal(from, kMaxJournalPage,
                reply_with_document<std::vector<shop::JournalTransaction>>(
                    DeferredReply(worker.loop, std::move(exchange)), 200, journal_document));
}

}  // namespace tribune::api
