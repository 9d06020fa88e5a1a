#include "api/account_admin.h"

#include "api/account_documents.h"
#include "api/account_problems.h"
#include "api/page_query.h"
#include "api/request_body.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::api {
namespace {

using accounts::Account;
using accounts::AccountState;
using accounts::Answer;
using http::Method;

constexpr std::size_t kMostListed = 1'000;

http::Response document(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = std::move(body);
  return response;
}

std::string decoded(std::string_view text) { return http::percent_decode(text).value_or(std::string()); }

/// {login}: what an order was carried out for.
std::string login_document_of(const Account& account) {
  base::json::Writer w;
  return w.begin_object().member("login", account.login).end_object().take();
}

/// As for apps, but an order that does not apply to the account's state says which state that is.
http::Response operator_problem(const http::Request& request, const accounts::RefusedRequest& refused) {
  if (refused.why == accounts::Refusal::changed_meanwhile)
    return http::problem(http::problems::conflict, refused.reason);
  return problem_of(request, refused);
}

/// Answers with a document of the answer's value, or with the refusal.
template <class T>
accounts::Answered<T> reply_with(DeferredReply reply, int status, std::function<std::string(const T&)> write) {
  return [reply, status, write = std::move(write)](Answer<T> answer) {
    reply.reply([status, write, answer = std::move(answer)](const http::Request& request) {
      return answer ? document(status, write(*answer)) : operator_problem(request, answer.error());
    });
  };
}

/// Continues with the account, or answers with the refusal.
accounts::Answered<Account> when_found(DeferredReply reply, std::function<void(Account)> next) {
  return [reply, next = std::move(next)](Answer<Account> account) {
    if (account) return next(std::move(*account));
    reply.reply([refused = account.error()](const http::Request& request) { return problem_of(request, refused); });
  };
}

}  // namespace

std::vector<runtime::Route> AccountAdmin::routes() {
  using enum AccountState;
  return {{{Method::get},
           "/accounts",
           [this](auto& worker, auto exchange, const auto&) { list(worker, std::move(exchange)); }},
          {{Method::post},
           "/accounts",
           [this](auto& worker, auto exchange, const auto&) { create(worker, std::move(exchange)); }},
          {{Method::get},
           "/accounts/{login}",
           [this](auto& worker, auto exchange, const auto& parameters) {
             show(worker, std::move(exchange), parameters["login"]);
           }},
          {{Method::post},
           "/accounts/{login}/reset-password",
           [this](auto& worker, auto exchange, const auto& parameters) {
             issue_reset_code(worker, std::move(exchange), parameters["login"]);
           }},
          state_route("/accounts/{login}/accept", {awaiting_approval, declined}, active),
          state_route("/accounts/{login}/decline", {awaiting_approval}, declined),
          state_route("/accounts/{login}/block", {active, blocked}, blocked),
          state_route("/accounts/{login}/unblock", {blocked}, active)};
}

void AccountAdmin::list(runtime::Worker& worker, Exchange exchange) {
  const std::string query = exchange->request().query;
  const auto value = [&](std::string_view key) { return http::query_decoded(query, key).value_or(std::string()); };
  const auto state_text = value("state");
  const auto state = accounts::parse_account_state(state_text);
  if (!state_text.empty() && !state)
    return exchange->reply(
        http::problem(http::problems::bad_request, "state must be active, awaiting_approval, declined or blocked"));
  std::size_t limit = kMostListed;
  if (const auto text = http::query_value(query, "limit")) {
    const auto asked = parse_limit(*text, kMostListed);
    if (!asked) return exchange->reply(http::problem(http::problems::bad_request, asked.error().en));
    limit = *asked;
  }
  const DeferredReply reply(worker.loop, std::move(exchange));
  service_.accounts(value("from"), limit, state, reply_with<accounts::AccountPage>(reply, 200, accounts_document));
}

void AccountAdmin::create(runtime::Worker& worker, Exchange exchange) {
  RequestBody body(exchange->request());
  accounts::Registration registration;
  registration.login = body.text("login", 1, accounts::kMaxLoginBytes);
  registration.password = body.text("password", 1, accounts::kMaxPasswordBytes);
  const auto shown = body.optional_flag("show_password") ? registration.password : std::string();
  if (const auto wrong = body.finish()) return exchange->reply(http::problem(http::problems::bad_request, wrong->en));
  const DeferredReply reply(worker.loop, std::move(exchange));
  service_.create_account(std::move(registration), reply_with<Account>(reply, 201, [shown](const Account& account) {
                            base::json::Writer w;
                            w.begin_object().member("login", account.login);
                            if (!shown.empty()) w.member("password", shown);
                            return w.end_object().take();
                          }));
}

void AccountAdmin::show(runtime::Worker& worker, Exchange exchange, std::string_view login) {
  const auto name = decoded(login);
  const DeferredReply reply(worker.loop, std::move(exchange));
  service_.account_by_login(name, when_found(reply, [this, reply](Account account) {
                              service_.devices(account.id, reply_with<std::vector<accounts::Device>>(
                                                               reply, 200, [account](const auto& devices) {
                                                                 return operator_document(account, devices);
                                                               }));
                            }));
}

void AccountAdmin::issue_reset_code(runtime::Worker& worker, Exchange exchange, std::string_view login) {
  const auto name = decoded(login);
  const DeferredReply reply(worker.loop, std::move(exchange));
  service_.account_by_login(name, when_found(reply, [this, reply](Account account) {
                              service_.issue_reset_code(
                                  account.id, reply_with<accounts::IssuedResetCode>(
                                                  reply, 200, [account](const accounts::IssuedResetCode& issued) {
                                                    base::json::Writer w;
                                                    w.begin_object().member("login", account.login);
                                                    w.member("code", issued.code);
                                                    w.member("expires_at", base::rfc3339(issued.expires));
                                                    return w.end_object().take();
                                                  }));
                            }));
}

runtime::Route AccountAdmin::state_route(std::string_view pattern, std::vector<AccountState> from, AccountState to) {
  return {
      {Method::post}, pattern, [this, from = std::move(from), to](auto& worker, auto exchange, const auto& parameters) {
        RequestBody body(exchange->request());
        accounts::StateChange change;
        change.from = from;
        change.to = to;
        change.reason = body.optional_text("reason", accounts::kMaxReasonBytes);
        if (const auto wrong = body.finish())
          return exchange->reply(http::problem(http::problems::bad_request, wrong->en));
        const auto name = decoded(parameters["login"]);
        const DeferredReply reply(worker.loop, std::move(exchange));
        service_.account_by_login(name, when_found(reply, [this, reply, change](Account account) {
                                    auto order = change;
                                    order.account = account.id;
                                    service_.change_state(
                                        std::move(order),
                                        reply_with<std::size_t>(reply, 200, [account](const std::size_t&) {
                                          return login_document_of(account);
                                        }));
                                  }));
      }};
}

}  // namespace tribune::api
