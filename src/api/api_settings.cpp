#include "api/api_settings.h"

#include <set>

#include "runtime/process_settings.h"

namespace tribune::api {
namespace {

std::string check_balancer_url(const std::string& url) { return url.empty() ? "" : config::check_http_origin(url); }

const config::Section<CacheSettings>& cache_section() {
  static const auto section = config::Section<CacheSettings>("caches", "A cache node that apps may ping.")
                                  .text("id", &CacheSettings::id, "The node's id, as its own configuration says it.",
                                        config::check_id, "1 to 64 of a-z 0-9 . _ -")
                                  .required()
                                  .sample("\"stadium\"")
                                  .text("url", &CacheSettings::url, "Where apps reach it.", config::check_http_base,
                                        "http(s)://host[:port][/path]")
                                  .required()
                                  .sample("\"http://127.0.0.1:8081\"");
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
      config::Section<ApiSettings>("api", "The role that answers the mobile and web apps.")
          .text("balancer_url", &ApiSettings::balancer_url,
                "Where viewers reach the balancer: playback URLs begin with it. Empty: they are paths at the API's own "
                "address.",
                check_balancer_url, "http(s)://host[:port], or empty")
          .text("access_url", &ApiSettings::access_url,
                "Where this role asks the balancer who may watch. Empty: balancer_url, and without that the front door "
                "of this process.",
                check_balancer_url, "http(s)://host[:port], or empty")
          .text("operator_token", &ApiSettings::operator_token,
                "Who sends it as Authorization: Bearer, as the operator's own backend does, may say for which account "
                "and device, and in which lane, "
                "POST /api/v1/access asks. Empty: nobody.",
                runtime::operator_token_rule, "at least 16 visible ASCII characters")
          .sections("caches", &ApiSettings::caches, cache_section(),
                    "The cache nodes that apps ping, to tell the balancer which of them they reach.")
          .check(check_caches);
  return section;
}

}  // namespace tribune::api
