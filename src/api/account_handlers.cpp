#include "api/account_handlers.h"

#include <utility>

#include "accounts/account.h"
#include "api/account_documents.h"
#include "api/account_export.h"
#include "api/account_problems.h"
#include "api/localized.h"
#include "api/page_query.h"
#include "api/request_body.h"
#include "api/responses.h"
#include "api/shop_problems.h"

namespace tribune::api {
namespace {

using accounts::Answer;
using contracts::AccountClaims;
using http::Method;

constexpr std::string_view kDefaultDeviceName = "device";
constexpr std::size_t kMaxResetCodeBytes = 32;  // twelve characters, and what people type between them

/// An answer without a document of its own: 204, or the refusal.
accounts::Answered<std::size_t> reply_without_content(DeferredReply reply) {
  return [reply](Answer<std::size_t> answer) {
    reply.reply([answer = std::move(answer)](const http::Request& request) {
      return answer ? no_content() : problem_of(request, answer.error());
    });
  };
}

http::Response password_reset_closed(const http::Request& request) {
  return problem(
      request, http::problems::password_reset_closed,
      {"only an operator issues codes for forgotten passwords", "коды для забытых паролей выдаёт только оператор"});
}

http::Response too_many_codes(const http::Request& request) {
  return problem_with_retry(request, http::problems::overloaded,
                            {"too many codes wait to be sent", "слишком много кодов ожидает отправки"},
                            ResetCodeHook::kRetryWhenFull);
}

/// Control characters in a name would end up in lists that people read.
std::string device_name_of(std::string name) {
  for (auto& c : name)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  return name.empty() ? std::string(kDefaultDeviceName) : name;
}

}  // namespace

AccountHandlers::AccountHandlers(accounts::AccountService& service, shop::ShopService& shop, SessionGate& gate,
                                 ResetCodeHook& reset_code_hook, const base::Clock& clock)
    : service_(service), shop_(shop), gate_(gate), reset_code_hook_(reset_code_hook), clock_(clock) {}

std::vector<runtime::Route> AccountHandlers::routes() {
  const auto open_route = [this](Method method, std::string_view pattern, OpenHandler handler) {
    return gate_.open_route(method, pattern, [this, handler](runtime::Worker& worker, Exchange exchange) {
      (this->*handler)(worker, std::move(exchange));
    });
  };
  const auto session_route = [this](Method method, std::string_view pattern, SessionHandler handler) {
    return gate_.session_route(method, pattern,
                               [this, handler](runtime::Worker& worker, Exchange exchange, const AccountClaims& claims,
                                               const http::PathParameters& parameters) {
                                 (this->*handler)(worker, std::move(exchange), claims, parameters);
                               });
  };
  return {open_route(Method::post, "/api/v1/auth/register", &AccountHandlers::register_account),
          open_route(Method::post, "/api/v1/auth/login", &AccountHandlers::log_in),
          open_route(Method::post, "/api/v1/auth/refresh", &AccountHandlers::refresh),
          open_route(Method::post, "/api/v1/auth/password/forgot", &AccountHandlers::forgot_password),
          open_route(Method::post, "/api/v1/auth/password/reset", &AccountHandlers::reset_password),
          session_route(Method::get, "/api/v1/auth/session", &AccountHandlers::session),
          session_route(Method::post, "/api/v1/auth/logout", &AccountHandlers::log_out),
          session_route(Method::get, "/api/v1/devices", &AccountHandlers::devices),
          session_route(Method::del, "/api/v1/devices/{device}", &AccountHandlers::end_device),
          session_route(Method::get, "/api/v1/account", &AccountHandlers::account),
          session_route(Method::get, "/api/v1/account/export", &AccountHandlers::export_account),
          session_route(Method::post, "/api/v1/account/password", &AccountHandlers::change_password),
          session_route(Method::post, "/api/v1/account/delete", &AccountHandlers::erase_account)};
}

void AccountHandlers::register_account(runtime::Worker& worker, Exchange exchange) {
  RequestBody body(exchange->request());
  accounts::Registration registration;
  registration.login = body.text("login", 1, accounts::kMaxLoginBytes);
  registration.password = body.text("password", 1, accounts::kMaxPasswordBytes);
  if (const auto wrong = body.finish())
    return exchange->reply(problem(exchange->request(), body.problem_type(), *wrong));
  const auto quota = gate_.limits().count_registration(exchange->request().client, clock_.steady_now());
  if (quota.retry_after) {
    RequestLimits::add_fields(exchange->also, quota);
    return exchange->reply(over_limit(exchange->request(), *quota.retry_after));
  }
  const DeferredReply reply(worker.loop, std::move(exchange));
  service_.register_account(std::move(registration), [reply](Answer<accounts::Account> answer) {
    reply.reply([answer = std::move(answer)](const http::Request& request) {
      if (!answer) return problem_of(request, answer.error());
      const bool is_active = answer->state == accounts::AccountState::active;
      return json_response(is_active ? 201 : 202, account_document(*answer));
    });
  });
}

accounts::Answered<accounts::LoggedIn> AccountHandlers::reply_with_tokens(DeferredReply reply) {
  return [this, reply](Answer<accounts::LoggedIn> answer) {
    if (!answer)
      return reply.reply(
          [refused = std::move(answer.error())](const http::Request& request) { return problem_of(request, refused); });
    const auto account = answer->account.id;
    shop_.entitlements(
        account, [this, reply, login = std::move(*answer)](shop::ShopAnswer<std::vector<shop::Entitlement>> owned) {
          reply.reply([this, login, owned = std::move(owned)](const http::Request& request) {
            if (!owned) return shop_problem(request, owned.error());
            const auto now = clock_.wall_now();
            const auto tokens = gate_.credentials().tokens_for(login, *owned, *service_.settings(), now);
            return json_response(200, login_document(login, tokens, now));
          });
        });
  };
}

void AccountHandlers::log_in(runtime::Worker& worker, Exchange exchange) {
  RequestBody body(exchange->request());
  accounts::Login login;
  login.login = body.text("login", 1, accounts::kMaxLoginBytes);
  login.password = body.text("password", 1, accounts::kMaxPasswordBytes);
  login.device_name = device_name_of(body.optional_text("device", accounts::kMaxDeviceNameBytes));
  const auto known = body.optional_text("device_token", kMaxKnownDeviceCharacters);
  login.client = exchange->request().client;
  if (const auto wrong = body.finish())
    return exchange->reply(problem(exchange->request(), body.problem_type(), *wrong));
  // A device token that is not valid is ignored: the login is one of an unknown device.
  if (const auto device = gate_.credentials().secrets().read_known_device(known); !known.empty() && device)
    login.known = *device;
  service_.log_in(std::move(login), reply_with_tokens(DeferredReply(worker.loop, std::move(exchange))));
}

void AccountHandlers::refresh(runtime::Worker& worker, Exchange exchange) {
  RequestBody body(exchange->request());
  const auto text = body.text("refresh_token", 1, kMaxRefreshTokenCharacters);
  if (const auto wrong = body.finish())
    return exchange->reply(problem(exchange->request(), body.problem_type(), *wrong));
  const auto claims = gate_.credentials().secrets().read_refresh_token(text);
  if (!claims) return exchange->reply(token_problem(exchange->request(), claims.error()));
  service_.refresh(claims->account, claims->device, claims->generation,
                   reply_with_tokens(DeferredReply(worker.loop, std::move(exchange))));
}

void AccountHandlers::forgot_password(runtime::Worker&, Exchange exchange) {
  const auto& request = exchange->request();
  RequestBody body(request);
  auto login = body.text("login", 1, accounts::kMaxLoginBytes);
  if (const auto wrong = body.finish()) return exchange->reply(problem(request, body.problem_type(), *wrong));
  if (!reset_code_hook_.is_open()) return exchange->reply(password_reset_closed(request));
  if (!accounts::is_login(login))
    return exchange->reply(problem_of(request, {accounts::Refusal::login_invalid, "", {}}));
  auto quota = gate_.limits().count_reset_request_of_address(request.client, clock_.steady_now());
  // A request that finds no room is not counted for the login: the viewer may need each of these requests.
  if (!quota.retry_after && !reset_code_hook_.has_room()) return exchange->reply(too_many_codes(request));
  if (!quota.retry_after)
    quota = gate_.limits().count_reset_request_of_login(accounts::login_key(login), clock_.steady_now());
  if (quota.retry_after) {
    RequestLimits::add_fields(exchange->also, quota);
    return exchange->reply(over_limit(request, *quota.retry_after));
  }
  // Whether the login exists is looked up by the hook, so that neither this response nor its time tells it.
  const bool is_queued = reset_code_hook_.request(std::move(login), language_of(request));
  exchange->reply(is_queued ? no_content(202) : too_many_codes(request));
}

void AccountHandlers::reset_password(runtime::Worker& worker, Exchange exchange) {
  RequestBody body(exchange->request());
  auto login = body.text("login", 1, accounts::kMaxLoginBytes);
  auto code = body.text("code", 1, kMaxResetCodeBytes);
  auto new_password = body.text("new_password", 1, accounts::kMaxPasswordBytes);
  if (const auto wrong = body.finish())
    return exchange->reply(problem(exchange->request(), body.problem_type(), *wrong));
  service_.reset_password(std::move(login), std::move(code), std::move(new_password),
                          reply_without_content(DeferredReply(worker.loop, std::move(exchange))));
}

void AccountHandlers::session(runtime::Worker&, Exchange exchange, const AccountClaims& claims,
                              const http::PathParameters&) {
  exchange->reply(json_response(200, session_document(claims)));
}

void AccountHandlers::log_out(runtime::Worker& worker, Exchange exchange, const AccountClaims& claims,
                              const http::PathParameters&) {
  bool is_everywhere = false;
  if (!exchange->request().body.empty()) {
    RequestBody body(exchange->request());
    is_everywhere = body.optional_flag("everywhere");
    if (const auto wrong = body.finish())
      return exchange->reply(problem(exchange->request(), body.problem_type(), *wrong));
  }
  auto done = reply_without_content(DeferredReply(worker.loop, std::move(exchange)));
  if (is_everywhere) return service_.end_other_devices(claims.account, 0, std::move(done));
  service_.end_device(claims.account, claims.device, std::move(done));
}

void AccountHandlers::devices(runtime::Worker& worker, Exchange exchange, const AccountClaims& claims,
                              const http::PathParameters&) {
  const auto page = page_query(exchange->request().query, accounts::kMaxDevicesPerAccount);
  if (!page) return exchange->reply(problem(exchange->request(), http::problems::bad_request, page.error()));
  const DeferredReply reply(worker.loop, std::move(exchange));
  const auto current = claims.device;
  service_.devices(claims.account, [reply, current, page = *page](Answer<std::vector<accounts::Device>> answer) {
    reply.reply([answer = std::move(answer), current, page](const http::Request& request) {
      if (!answer) return problem_of(request, answer.error());
      const auto document = devices_document(*answer, current, page);
      if (!document) return problem(request, http::problems::bad_request, wrong_cursor());
      return private_document(request, *document);
    });
  });
}

void AccountHandlers::end_device(runtime::Worker& worker, Exchange exchange, const AccountClaims& claims,
                                 const http::PathParameters& parameters) {
  const auto device = accounts::parse_id(parameters["device"]);
  if (!device) return exchange->reply(problem_of(exchange->request(), {accounts::Refusal::not_found, "", {}}));
  const DeferredReply reply(worker.loop, std::move(exchange));
  service_.end_device(claims.account, *device, [reply](Answer<std::size_t> answer) {
    reply.reply([answer = std::move(answer)](const http::Request& request) {
      if (!answer) return problem_of(request, answer.error());
      if (*answer == 0) return problem_of(request, {accounts::Refusal::not_found, "", {}});
      return no_content();
    });
  });
}

void AccountHandlers::account(runtime::Worker& worker, Exchange exchange, const AccountClaims& claims,
                              const http::PathParameters&) {
  const DeferredReply reply(worker.loop, std::move(exchange));
  service_.account(claims.account, [reply](Answer<accounts::Account> answer) {
    reply.reply([answer = std::move(answer)](const http::Request& request) {
      if (!answer) return problem_of(request, answer.error());
      return private_document(request, account_document(*answer));
    });
  });
}

void AccountHandlers::export_account(runtime::Worker& worker, Exchange exchange, const AccountClaims& claims,
                                     const http::PathParameters&) {
  const DeferredReply reply(worker.loop, std::move(exchange));
  gather_export(service_, shop_, claims.account, [this, reply](Answer<AccountExport> gathered) {
    reply.reply([this, gathered = std::move(gathered)](const http::Request& request) {
      if (!gathered) return problem_of(request, gathered.error());
      return json_response(200, export_document(*gathered, clock_.wall_now()));
    });
  });
}

void AccountHandlers::change_password(runtime::Worker& worker, Exchange exchange, const AccountClaims& claims,
                                      const http::PathParameters&) {
  RequestBody body(exchange->request());
  accounts::PasswordProof proof{claims.account, claims.device, "", exchange->request().client};
  proof.password = body.text("password", 1, accounts::kMaxPasswordBytes);
  auto new_password = body.text("new_password", 1, accounts::kMaxPasswordBytes);
  if (const auto wrong = body.finish())
    return exchange->reply(problem(exchange->request(), body.problem_type(), *wrong));
  service_.change_password(std::move(proof), std::move(new_password),
                           reply_without_content(DeferredReply(worker.loop, std::move(exchange))));
}

void AccountHandlers::erase_account(runtime::Worker& worker, Exchange exchange, const AccountClaims& claims,
                                    const http::PathParameters&) {
  RequestBody body(exchange->request());
  accounts::PasswordProof proof{claims.account, claims.device, "", exchange->request().client};
  proof.password = body.text("password", 1, accounts::kMaxPasswordBytes);
  if (const auto wrong = body.finish())
    return exchange->reply(problem(exchange->request(), body.problem_type(), *wrong));
  service_.erase(std::move(proof), reply_without_content(DeferredReply(worker.loop, std::move(exchange))));
}

}  // namespace tribune::api
