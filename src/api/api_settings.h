#pragma once
// The section "api" of a configuration.

#include <string>
#include <vector>

#include "accounts/account_settings.h"
#include "api/request_limits.h"
#include "config/section.h"
#include "shop/shop_settings.h"

namespace tribune::api {

/// A cache node that apps may ping.
struct CacheSettings {
  std::string id;
  std::string url;
};

/// Immutable after parsing.
struct ApiSettings {
  std::string balancer_url;    // the beginning of playback URLs; empty: they are paths
  std::string access_url;      // the balancer's URL for this role; empty: balancer_url, or this process
  std::string operator_token;  // requests with it may name an account; empty: no request may
  std::vector<CacheSettings> caches;
  accounts::AccountSettings accounts;
  shop::ShopSettings shop;
  RequestLimitSettings limits;
};

const config::Section<ApiSettings>& api_section();

}  // namespace tribune::api
