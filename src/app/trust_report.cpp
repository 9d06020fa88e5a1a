#include "app/trust_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "api/api_settings.h"
#include "balancer/balancer_settings.h"
#include "cache_node/settings/cache_node_settings.h"
#include "contracts/event.h"
#include "http/uri.h"
#include "http_cache/http_cache_settings.h"
#include "net/server/http_server.h"
#include "runtime/process_settings.h"
#include "runtime/server.h"

namespace tribune::app {
namespace {

using Words = std::vector<std::string>;

std::string listed(const Words& words) {
  return words.empty() ? std::string("none") : fmt::format("{}", fmt::join(words, ", "));
}

void add_line(std::string& report, std::string_view what, std::string_view who) {
  report += fmt::format("trusts  {}: {}\n", what, who);
}

void add_front(std::string& report, const net::ServerSettings& front) {
  const auto& proxies = front.trusted_proxies;
  add_line(report, "X-Forwarded-For, X-Forwarded-Proto", listed(proxies));
  if (!front.proxy_protocol) return;
  add_line(report, "PROXY header",
           proxies.empty()
               ? std::string("none: front.proxy_protocol has no effect because front.trusted_proxies is empty")
               : listed(proxies) +
                     "; required on their connections, and the client address that it carries is checked again");
}

void add_admin(std::string& report, const runtime::AdminSettings& admin) {
  const auto who = admin.token.empty() ? "all clients that can connect to " : "clients that present admin.token at ";
  add_line(report, "admin listener", who + listed(admin.listen));
  add_line(report, "admin host names",
           listed(admin.names) + (admin.names.empty() ? " in addition to its addresses and localhost"
                                                      : ", in addition to its addresses and localhost"));
}

void add_balancer(std::string& report, const balancer::BalancerSettings& settings) {
  const auto token = settings.operator_token.empty() ? "" : ", and clients that present balancer.operator_token";
  add_line(report, "/access_queue_switch", listed(settings.operator_networks) + token);
}

void add_origin_names(std::string& report, std::string_view role, bool allow_special_addresses) {
  add_line(report,
           fmt::format("names of origins that lead the {} to loopback, private and other special addresses", role),
           allow_special_addresses ? "all" : "none");
}

void add_api(std::string& report, const api::ApiSettings& settings) {
  add_line(report, "accounts, devices and lanes in POST /api/v1/access",
           settings.operator_token.empty() ? "none" : "clients that present api.operator_token");
  add_line(report, "accounts of viewers",
           settings.accounts.state_dir.empty()
               ? "none"
               : "holders of tokens that are signed with a key in " + settings.accounts.state_dir);
  if (settings.accounts.state_dir.empty()) return;
  const auto hook = http::parse_uri(settings.accounts.reset_hook.url);
  add_line(report, "one-time codes for forgotten passwords",
           hook ? "operators, and " + hook->origin() + ", which receives those that viewers request" : "operators");
}

/// What a paid channel shows that nobody checks a session for.
Words open_media(const contracts::Event& event) {
  Words open;
  for (const auto& channel : event.channels) {
    if (channel.access == contracts::ChannelAccess::free) continue;
    if (!channel.checks_segments()) open.push_back("holders of links of " + channel.id);
    if (channel.fallback == contracts::Fallback::origin)
      open.push_back("holders of the origin's URLs of " + channel.id);
  }
  return open;
}

}  // namespace

std::string trust_report(const config::Settings& settings) {
  std::string report;
  if (settings.has(runtime::kFrontSection))
    add_front(report, settings.get<net::ServerSettings>(runtime::kFrontSection));
  if (settings.has("admin")) add_admin(report, settings.get<runtime::AdminSettings>("admin"));
  if (settings.has("event")) {
    Words ids;
    for (const auto& key : settings.get<contracts::Event>("event").keys) ids.push_back(key.id);
    add_line(report, "links, tokens, tickets, heartbeats, orders and peers",
             ids.empty() ? "none" : "holders of the event keys " + listed(ids));
    const auto& accounts_url = settings.get<contracts::Event>("event").accounts_url;
    if (const auto open = open_media(settings.get<contracts::Event>("event")); !open.empty())
      add_line(report, "media of paid channels without a session", listed(open));
    if (!accounts_url.empty())
      add_line(report, "what accounts own, and their ended devices",
               accounts_url + ", signed with a key of event.account_keys");
  }
  if (settings.has("balancer")) {
    const auto& balancer = settings.get<balancer::BalancerSettings>("balancer");
    add_balancer(report, balancer);
    add_origin_names(report, "balancer", balancer.origin.allow_special_addresses);
  }
  if (settings.has("api")) add_api(report, settings.get<api::ApiSettings>("api"));
  if (settings.has("cache_node")) {
    const auto& node = settings.get<cache_node::CacheNodeSettings>("cache_node");
    add_line(report, "channel map, peers and orders", listed(node.balancers) + ", signed with the event keys");
    add_origin_names(report, "node", node.origin.allow_special_addresses);
  }
  if (settings.has("http_cache"))
    add_line(report, "origin of the plain cache", settings.get<http_cache::HttpCacheSettings>("http_cache").origin);
  return report;
}

}  // namespace tribune::app
