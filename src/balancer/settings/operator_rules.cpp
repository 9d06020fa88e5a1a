#include "balancer/settings/operator_rules.h"

#include <algorithm>
#include <array>

#include "net/server/http_server.h"
#include "runtime/admin.h"
#include "runtime/process_settings.h"
#include "runtime/server.h"

namespace tribune::balancer {
namespace {

/// Fields that proxies add and clients do not send by themselves.
constexpr std::array<std::string_view, 9> kProxyFields{
    "Forwarded",          "Via",       "X-Forwarded-For",  "X-Forwarded-Host", "X-Forwarded-Proto",
    "X-Forwarded-Server", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP"};

bool shows_proxy(const http::Request& request) {
  return std::any_of(kProxyFields.begin(), kProxyFields.end(),
                     [&](std::string_view name) { return request.headers.count(name) > 0; });
}

}  // namespace

std::string_view OperatorRules::refusal(const http::Request& request) const {
  if (!token.empty() && !runtime::AdminGate(token).refusal(request)) return "";
  const auto client = base::parse_ip(request.client);
  if (!client || !networks.contains(*client)) return "not_from_an_operator_network";
  // The port is unknown where a trusted proxy's X-Forwarded-For has named the client.
  const bool is_vouched_for = request.client_port == 0;
  if (!is_vouched_for && trusted_proxies.contains(*client)) return "a_proxy_named_nobody";
  if (!is_vouched_for && shows_proxy(request)) return "behind_an_unknown_proxy";
  if (!hosts.has(request.host)) return "foreign_host";
  if (runtime::is_cross_site(request)) return "cross_site";
  return "";
}

OperatorRules operator_rules(const std::string& token, const std::vector<std::string>& networks,
                             const config::Settings& settings) {
  OperatorRules rules;
  rules.token = token;
  if (auto prefixes = base::PrefixList::parse(networks)) rules.networks = std::move(*prefixes);
  if (settings.has(runtime::kFrontSection)) {
    const auto& front = settings.get<net::ServerSettings>(runtime::kFrontSection);
    if (auto proxies = base::PrefixList::parse(front.trusted_proxies)) rules.trusted_proxies = std::move(*proxies);
  }
  const auto admin = runtime::admin_section().name();
  if (settings.has(admin))
    rules.hosts = runtime::HostNames::with_any_address(settings.get<runtime::AdminSettings>(admin).names);
  return rules;
}

}  // namespace tribune::balancer
