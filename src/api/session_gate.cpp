#include "api/session_gate.h"

#include <utility>

#include "api/account_problems.h"
#include "api/responses.h"

namespace tribune::api {

SessionGate::SessionGate(accounts::AccountService& service, std::unique_ptr<AccountCredentials> credentials,
                         const base::Clock& clock, std::chrono::milliseconds clock_skew)
    : service_(service), credentials_(std::move(credentials)), clock_(clock), clock_skew_(clock_skew) {}

runtime::Route SessionGate::open_route(http::Method method, std::string_view pattern, OpenHandler handler) {
  return {{method}, pattern, [this, handler = std::move(handler)](auto& worker, auto exchange, const auto&) {
            const auto quota = limits_.count_address(exchange->request().client, clock_.steady_now());
            RequestLimits::add_fields(exchange->also, quota);
            if (quota.retry_after) return exchange->reply(over_limit(exchange->request(), *quota.retry_after));
            handler(worker, std::move(exchange));
          }};
}

runtime::Route SessionGate::session_route(http::Method method, std::string_view pattern, SessionHandler handler) {
  return {{method}, pattern, [this, handler = std::move(handler)](auto& worker, auto exchange, const auto& parameters) {
            auto claims = pass(worker, *exchange);
            if (!claims) return exchange->reply(std::move(claims.error()));
            handler(worker, std::move(exchange), **claims, parameters);
          }};
}

tl::expected<std::shared_ptr<const SessionGate::Claims>, http::Response> SessionGate::pass(
    const runtime::Worker& worker, net::Exchange& exchange) {
  const auto& request = exchange.request();
  auto claims = credentials_->read(request, worker.index, clock_.wall_now(), clock_skew_);
  if (!claims) {
    const auto quota = limits_.count_address(request.client, clock_.steady_now());
    RequestLimits::add_fields(exchange.also, quota);
    return tl::unexpected(quota.retry_after ? over_limit(request, *quota.retry_after)
                                            : token_problem(request, claims.error()));
  }
  if (service_.is_revoked((*claims)->device))
    return tl::unexpected(problem_of(request, {accounts::Refusal::logged_out, "", {}}));
  const auto quota = limits_.count_account((*claims)->account, clock_.steady_now());
  RequestLimits::add_fields(exchange.also, quota);
  if (quota.retry_after) return tl::unexpected(over_limit(request, *quota.retry_after));
  return std::move(*claims);
}

}  // namespace tribune::api
