#include "shop/shop_settings.h"

#include "shop/payment_method.h"

namespace tribune::shop {
namespace {

using namespace std::chrono_literals;

std::string check_payment_method(const std::string& text) {
  return payment_method(text) == nullptr ? "balance, till" : "";
}

}  // namespace

const config::Section<ShopSettings>& shop_section() {
  static const auto section =
      config::Section<ShopSettings>("shop", "What viewers buy. It needs api.accounts.state_dir.")
          .texts(
              "payment_methods", &ShopSettings::payment_methods,
              "How purchases can be paid. balance: from the account's prepaid balance. till: the purchase is pending "
              "until an operator has settled it.",
              check_payment_method, "balance, till")
          .duration("payment_time", &ShopSettings::payment_time, {1s, 24h * 30},
                    "Time for which a pending purchase reserves its goods; then it fails.")
          .duration("price_validity", &ShopSettings::price_validity, {0s, 24h},
                    "Time for which a purchase at the former price is accepted after a price was changed.");
  return section;
}

}  // namespace tribune::shop
