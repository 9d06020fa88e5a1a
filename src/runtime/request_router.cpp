#include "runtime/request_router.h"

#include <string>
#include <variant>

#include "http/problem.h"

namespace tribune::runtime {
namespace {

// The fields are also listed by name, because "*" does not include Authorization and older Safari versions do not
// support it.
constexpr std::string_view kAllowedRequestHeaders =
    "Authorization, Content-Type, Range, If-Range, If-None-Match, If-Modified-Since, X-Cache-Id, Idempotency-Key, "
    "CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session, *";
constexpr std::string_view kPreflightSeconds = "86400";
constexpr std::string_view kAnyMethod = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE";

http::Response options_answer(std::string_view allow, bool for_all_sites) {
  http::Response answer;
  answer.status = 204;
  answer.headers.set("Allow", allow);
  if (!for_all_sites) return answer;
  answer.headers.set("Access-Control-Allow-Methods", allow);
  answer.headers.set("Access-Control-Allow-Headers", kAllowedRequestHeaders);
  answer.headers.set("Access-Control-Max-Age", kPreflightSeconds);
  return answer;
}

bool lists(std::string_view allow, std::string_view method) {
  while (!allow.empty()) {
    const auto end = std::min(allow.find(','), allow.size());
    auto item = allow.substr(0, end);
    while (item.starts_with(' ')) item.remove_prefix(1);
    if (item == method) return true;
    allow.remove_prefix(std::min(end + 1, allow.size()));
  }
  return false;
}

std::string with_options(std::string allow) {
  if (!lists(allow, "OPTIONS")) allow += allow.empty() ? "OPTIONS" : ", OPTIONS";
  return allow;
}

}  // namespace

RequestRouter::RequestRouter(std::vector<Route> routes, bool for_all_sites)
    : routes_(std::move(routes)), for_all_sites_(for_all_sites) {
  for (std::size_t i = 0; i < routes_.size(); ++i) router_.add(routes_[i].methods, routes_[i].pattern, i);
}

void RequestRouter::dispatch(Worker& worker, std::unique_ptr<net::Exchange> exchange) const {
  const auto& request = exchange->request();
  const auto outcome = router_.match(request.method, request.path);
  if (const auto* match = std::get_if<http::Router::Match>(&outcome)) {
    routes_[match->route].handler(worker, std::move(exchange), match->parameters);
    return;
  }
  exchange->reply(unrouted(request.method, outcome, for_all_sites_));
}

http::Response RequestRouter::unrouted(http::Method method, const http::Router::Outcome& outcome, bool for_all_sites) {
  const auto* not_allowed = std::get_if<http::Router::MethodNotAllowed>(&outcome);
  if (method == http::Method::options)
    return options_answer(not_allowed ? with_options(not_allowed->allow) : std::string(kAnyMethod), for_all_sites);
  if (!not_allowed) return http::problem(http::problems::not_found, "Nothing is served at this path.");
  const auto allow = with_options(not_allowed->allow);
  auto answer = http::problem(http::problems::method_not_allowed, "This path accepts the methods " + allow + ".");
  answer.headers.set("Allow", allow);
  return answer;
}

}  // namespace tribune::runtime
