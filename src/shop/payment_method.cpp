#include "shop/payment_method.h"

#include <algorithm>
#include <array>

namespace tribune::shop {

std::span<const PaymentMethod> payment_methods() {
  static constexpr std::array kMethods{PaymentMethod{"balance", Settlement::from_balance, ""},
                                       PaymentMethod{"till", Settlement::later, kTill}};
  return kMethods;
}

const PaymentMethod* payment_method(std::string_view id) {
  const auto methods = payment_methods();
  const auto found = std::find_if(methods.begin(), methods.end(), [&](const auto& method) { return method.id == id; });
  return found == methods.end() ? nullptr : &*found;
}

}  // namespace tribune::shop
