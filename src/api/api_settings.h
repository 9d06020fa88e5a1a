#pragma once
// The section "api" of a configuration.

#include <string>
#include <vector>

#include "config/section.h"

namespace tribune::api {

/// A cache node that apps may ping.
struct CacheSettings {
  std::string id;
  std::string url;
};

/// Values; immutable once read.
struct ApiSettings {
  std::string balancer_url;    // of playback URLs; empty: the API's own origin
  std::string access_url;      // where this role asks the balancer; empty: balancer_url, or this process
  std::string operator_token;  // of the operator's own backend, which speaks for accounts; empty: nobody does
  std::vector<CacheSettings> caches;
};

const config::Section<ApiSettings>& api_section();

}  // namespace tribune::api
