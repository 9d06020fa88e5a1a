#include "api/api_settings.h"

#include <set>

#include "runtime/process_settings.h"

namespace tribune::api {
namespace {

std::string check_balancer_url(const std::string& url) { return url.empty() ? "" : config::check_http_origin(url); }

const config::Section<CacheSettings>& cache_section() {
  static const auto section =
      config::Section<CacheSettings>("caches", "A cache node that apps may ping.")
          .text("id", &CacheSettings::id,
                "The id of the node, the same as cache_node.id in the node's own configuration.", config::check_id,
                "1 to 64 of a-z 0-9 . _ -")
          .required()
          .sample("\"stadium\"")
          .text("url", &CacheSettings::url, "URL at which apps reach the node.", config::check_http_base,
                "http(s)://host[:port][/path]")
          .required()
          .sample("\"http://127.0.0.1:8081\"");
  return section;
}

const config::Section<RequestLimitSettings>& limit_section() {
  static const auto section =
      config::Section<RequestLimitSettings>("limits", "Limits on requests.")
          .whole(
              "max_requests_per_address", &RequestLimitSettings::max_requests_per_address, {1, 10'000'000},
              "Maximum number of requests of one client address (IPv6: one /64) in a minute that log in, register or "
              "refresh, or have no valid access token. Raise it where a crowd shares one address.")
          .whole("max_requests_per_account", &RequestLimitSettings::max_requests_per_account, {1, 1'000'000},
                 "Maximum number of requests of one account in a minute.")
          .whole("max_registrations_per_address", &RequestLimitSettings::max_registrations_per_address, {1, 1'000'000},
                 "Maximum number of registrations of one client address (IPv6: one /64) in an hour. Raise it where a "
                 "crowd shares one address.")
          .whole("max_reset_requests_per_address", &RequestLimitSettings::max_reset_requests_per_address,
                 {1, 1'000'000},
                 "Maximum number of one-time codes that one client address (IPv6: one /64) requests in an hour. Raise "
                 "it where a crowd shares one address.")
          .whole("max_reset_requests_per_login", &RequestLimitSettings::max_reset_requests_per_login, {1, 1'000},
                 "Maximum number of one-time codes that are requested for one login in an hour, whether it exists or "
                 "not.")
          .whole("max_voucher_attempts_per_account", &RequestLimitSettings::max_voucher_attempts_per_account,
                 {1, 100'000}, "Maximum number of vouchers, right or wrong, that one account redeems in an hour.");
  return section;
}

std::string check_caches(const ApiSettings& settings) {
  std::set<std::string_view> seen;
  for (const auto& cache : settings.caches)
    if (!seen.insert(cache.id).second) return "cache id \"" + cache.id + "\" is used twice";
  return "";
}

}  // namespace

const config::Section<ApiSettings>& api_section() {
  static const auto section =
      config::Section<ApiSettings>("api", "The role that serves the API of the mobile and web apps.")
          .text("balancer_url", &ApiSettings::balancer_url,
                "URL at which viewers reach the balancer; playback URLs begin with it. Empty: playback URLs are paths "
                "at the address of the API.",
                check_balancer_url, "http(s)://host[:port], or empty")
          .text("access_url", &ApiSettings::access_url,
                "URL at which this role asks the balancer for access decisions. Empty: balancer_url; if that is empty "
                "as well, the front listener of this process.",
                check_balancer_url, "http(s)://host[:port], or empty")
          .text("operator_token", &ApiSettings::operator_token,
                "A request to POST /api/v1/access with this token as Authorization: Bearer, such as one of the "
                "operator's own backend, may state the account, the device and the lane for which it asks. Empty: no "
                "token is accepted.",
                runtime::operator_token_rule, "at least 16 visible ASCII characters")
          .sections("caches", &ApiSettings::caches, cache_section(),
                    "The cache nodes that GET /api/v1/caches lists without a channel, for the viewer page and for apps "
                    "that ping them. "
                    "For a channel, the balancer lists its own live nodes.")
          .section("accounts", &ApiSettings::accounts, accounts::account_section(),
                   "The accounts of viewers, with which apps log in.")
          .section("shop", &ApiSettings::shop, shop::shop_section(), "What viewers buy.")
          .section("limits", &ApiSettings::limits, limit_section(),
                   "Limits on the requests for accounts; more are answered with 429.")
          .check(check_caches);
  return section;
}

}  // namespace tribune::api
