#include "balancer/settings/operator_rules.h"

#include <algorithm>
#include <array>

#include "net/client_address.h"
#include "net/server/http_server.h"
#include "runtime/admin.h"
#include "runtime/process_settings.h"
#include "runtime/server.h"

namespace tribune::balancer {
namespace {

/// Fields that proxies add and clients do not send by themselves.
constexpr std::array<std::string_view, 16> kProxyFields{"Forwarded",
                                                        "Via",
                                                        "X-Forwarded-For",
                                                        "X-Forwarded-Host",
                                                        "X-Forwarded-Port",
                                                        "X-Forwarded-Proto",
                                                        "X-Forwarded-Server",
                                                        "X-Real-IP",
                                                        "X-Client-IP",
                                                        "X-Cluster-Client-IP",
                                                        "X-Original-Forwarded-For",
                                                        "X-Envoy-External-Address",
                                                        "CF-Connecting-IP",
                                                        "True-Client-IP",
                                                        "Fastly-Client-IP",
                                                        "CDN-Loop"};

bool shows_proxy(const http::Request& request) {
  return std::any_of(kProxyFields.begin(), kProxyFields.end(),
                     [&](std::string_view name) { return request.headers.count(name) > 0; });
}

/// Whether X-Forwarded-For names somebody behind the client that the trusted proxies name, so that this client is a
/// proxy too. The client is the rightmost address that is no trusted proxy.
bool is_itself_proxy(const base::IpAddress& client, const http::Request& request) {
  const auto field = request.headers.joined("X-Forwarded-For").value_or("");
  for (auto rest = std::string_view(field);;) {
    const auto comma = rest.rfind(',');
    const bool is_last = comma == std::string_view::npos;
    const auto named = net::forwarded_client(is_last ? rest : rest.substr(comma + 1), {});
    if (is_last || named == client) return !is_last;
    rest = rest.substr(0, comma);
  }
}

}  // namespace

bool OperatorRules::has_token(const http::Request& request) const {
  return !token.empty() && !runtime::AdminGate(token).refusal(request);
}

std::string_view OperatorRules::refusal(const http::Request& request) const {
  if (has_token(request)) return "";
  const auto client = base::parse_ip(request.client);
  if (!client || !networks.contains(*client)) return "not_from_an_operator_network";
  // The port is unknown where a trusted proxy's X-Forwarded-For has named the client.
  const bool is_vouched_for = request.client_port == 0;
  if (trusted_proxies.contains(*client)) return "a_proxy_named_nobody";  // also where the field names only proxies
  if (is_vouched_for ? is_itself_proxy(*client, request) : shows_proxy(request)) return "behind_an_unknown_proxy";
  if (!hosts.has(request.host)) return "foreign_host";
  if (runtime::is_cross_site(request)) return "cross_site";
  return "";
}

bool OperatorRules::needs_confirmation(const http::Request& request) const {
  if (has_token(request)) return false;
  if (runtime::is_prefetch(request)) return true;
  return !runtime::shows_own_site(request) && !runtime::is_of_program(request);
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
