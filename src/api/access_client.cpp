#include "api/access_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "api/cache_requests.h"
#include "base/ip_address.h"
#include "base/json.h"
#include "contracts/canonical.h"
#include "contracts/signed_body.h"
#include "contracts/ticket.h"
#include "http/problem.h"
#include "http/uri.h"
#include "runtime/admin.h"

namespace tribune::api {
namespace {

using namespace std::chrono_literals;
using contracts::AccessRequest;

constexpr std::size_t kMaxBodyBytes = 4 * 1024;
constexpr std::size_t kMaxTextBytes = 128;
constexpr std::size_t kMaxAskingPerWorker = 20'000;

/// A member of the request body, whose value is a text.
struct RequestMember {
  std::string_view name;
  std::string AccessRequest::*field;
  bool is_operators;  // accepted only with the operator's token
};
constexpr std::array<RequestMember, 7> kMembers{{{"channel", &AccessRequest::channel, false},
                                                 {"ticket", &AccessRequest::pass, false},
                                                 {"cache", &AccessRequest::cache, false},
                                                 {"account", &AccessRequest::account, true},
                                                 {"device", &AccessRequest::device, true},
                                                 {"client", &AccessRequest::client, true},
                                                 {"lane", &AccessRequest::lane, true}}};

tl::unexpected<base::Error> wrong(std::string text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client, std::move(text));
}

/// The name of the session in the balancer's response; empty when there is none.
std::string session_named_by(const http::Headers& headers) {
  constexpr std::size_t kNameCharacters = 16;
  const auto name = headers.first(contracts::kSessionNameHeader).value_or("");
  const bool is_name =
      name.size() == kNameCharacters && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return is_name ? std::string(name) : std::string();
}

base::Counter counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter(
      "tribune_api_access_requests_total",
      "Access requests forwarded to the balancer, and those of them that received no response, by result.",
      {{"result", result}});
}

}  // namespace

base::Result<AccessRequest> access_request(const http::Request& request, const BalancerEndpoint& road) {
  if (request.body.size() > kMaxBodyBytes) return wrong("the request body is too long");
  const auto value = base::json::parse(request.body);
  if (!value || !value->is(base::json::Kind::object))
    return wrong("the body must be a JSON object with the member \"channel\"");
  AccessRequest made;
  bool is_for_account = false;
  for (const auto& member : value->object) {
    const auto known =
        std::find_if(kMembers.begin(), kMembers.end(), [&](const RequestMember& m) { return m.name == member.name; });
    if (known == kMembers.end()) return wrong("unknown member \"" + base::json::escape(member.name) + "\"");
    is_for_account = is_for_account || known->is_operators;
  }
  if (is_for_account && (road.operator_token.empty() || runtime::AdminGate(road.operator_token).refusal(request)))
    return base::failure(base::ErrorKind::forbidden, base::Fault::client,
                         "the members account, device, client and lane require the operator token");
  made.client = request.client;
  for (const auto& [name, field, is_operators] : kMembers) {
    const auto* given = value->find(name);
    if (!given || given->is(base::json::Kind::null)) continue;
    const auto most = field == &AccessRequest::pass ? contracts::kMaxTicketCharacters : kMaxTextBytes;
    if (!given->is(base::json::Kind::string) || given->string.size() > most)
      return wrong(fmt::format("\"{}\" must be a string of at most {} bytes", name, most));
    made.*field = given->string;
  }
  if (made.channel.empty()) return wrong("the member \"channel\" is missing");
  if (made.account.empty() && !made.device.empty())
    return wrong("the member \"device\" requires the member \"account\"");
  if (is_for_account && !base::parse_ip(made.client)) return wrong("\"client\" must be the IP address of the viewer");
  made.user_agent = std::string(request.headers.first("User-Agent").value_or("").substr(0, 512));
  made.playback_base = road.playback_base;
  return made;
}

AccessClient::AccessClient(const base::Clock& clock, base::Log& log, base::Metrics& metrics, std::size_t workers)
    : clock_(clock),
      log_(log),
      asked_(counter(metrics, "asked")),
      failed_(counter(metrics, "failed")),
      asking_(workers),
      next_(workers, 0) {}

std::optional<AccessRequest> AccessClient::read_open(net::Exchange& exchange) const {
  auto request = access_request(exchange.request(), *road_.get());
  if (request) return std::move(*request);
  const auto& type =
      request.error().kind == base::ErrorKind::forbidden ? http::problems::forbidden : http::problems::bad_request;
  exchange.reply(http::problem(type, request.error().text));
  return std::nullopt;
}

void AccessClient::report(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange, std::string_view pass) {
  auto request = session_report(exchange->request());
  if (request) request->pass = pass.substr(0, kMaxPassBytes);
  ask_if_valid(worker, std::move(exchange), request);
}

void AccessClient::report_pings(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange) {
  const auto request = pings_report(exchange->request());
  ask_if_valid(worker, std::move(exchange), request);
}

void AccessClient::list_caches(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange) {
  const auto request = cache_list_request(exchange->request());
  ask_if_valid(worker, std::move(exchange), request);
}

void AccessClient::stop(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange, std::string_view pass) {
  AccessRequest request;
  const bool is_beacon = exchange->request().method == http::Method::post;
  request.action = is_beacon ? AccessRequest::Action::leave : AccessRequest::Action::stop;
  request.pass = pass.substr(0, kMaxPassBytes);
  request.client = exchange->request().client;
  ask(worker, std::move(exchange), request);
}

void AccessClient::ask_if_valid(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange,
                                const base::Result<AccessRequest>& request) {
  if (!request) return exchange->reply(http::problem(http::problems::bad_request, request.error().text));
  ask(worker, std::move(exchange), *request);
}

void AccessClient::ask(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange, const AccessRequest& asked) {
  const auto road = road_.get();
  auto& table = asking_[worker.index];
  if (road->balancer_url.empty() || table.size() >= kMaxAskingPerWorker)
    return exchange->reply(http::problem(http::problems::overloaded, road->balancer_url.empty()
                                                                         ? "no balancer is configured"
                                                                         : "too many concurrent access requests"));
  net::FetchRequest request;
  request.method = http::Method::post;
  request.url = road->balancer_url + std::string(contracts::kAccessPath);
  request.body = contracts::to_json(asked);
  request.headers = {{"Content-Type", "application/json"}};
  request.headers.add(contracts::kSignatureHeader,
                      contracts::sign_body(*road->keys, "POST " + std::string(contracts::kAccessPath), request.body,
                                           clock_.wall_now()));
  const auto uri = http::parse_uri(road->balancer_url);
  request.destinations = {{uri ? uri->origin() : road->balancer_url}, true};
  request.deadlines = {1s, 4s, 4s, 1, 8s};
  request.max_body_bytes = 64 * 1024;
  asked_.add();
  const auto place = next_[worker.index]++;
  auto& entry = table.emplace(place, Asking{std::move(exchange), nullptr}).first->second;
  entry.exchange->on_gone([&table, place] { table.erase(place); });
  entry.fetch =
      worker.client.get_whole(std::move(request), [this, &table, place](base::Result<net::WholeAnswer> result) {
        auto done = table.extract(place);
        if (done) answer(*done.mapped().exchange, std::move(result));
      });
}

void AccessClient::answer(net::Exchange& exchange, base::Result<net::WholeAnswer> result) {
  if (!result) {
    failed_.add();
    log_.warning("api", "balancer_away", {{"error", result.error().text}});
    auto problem = http::problem(http::problems::overloaded, "the balancer does not respond");
    problem.headers.add("Retry-After", "2");
    return exchange.reply(std::move(problem));
  }
  http::Response response;
  response.status = result->head.status;
  response.headers = {{"Cache-Control", "no-store"}};
  for (const auto* name : {"Content-Type", "Retry-After"})
    if (const auto value = result->head.headers.first(name)) response.headers.add(name, *value);
  response.body = std::move(result->body);
  exchange.note.session = session_named_by(result->head.headers);
  exchange.reply(std::move(response));
}

}  // namespace tribune::api
