#pragma once
// The section "api.shop" of a configuration.

#include <chrono>
#include <string>
#include <vector>

#include "config/section.h"

namespace tribune::shop {

/// Values; immutable once read.
struct ShopSettings {
  std::vector<std::string> payment_methods{"balance"};  // ids of payment_method()
  std::chrono::milliseconds payment_time{std::chrono::minutes{15}};
  std::chrono::milliseconds price_validity{std::chrono::minutes{5}};
};

const config::Section<ShopSettings>& shop_section();

}  // namespace tribune::shop
