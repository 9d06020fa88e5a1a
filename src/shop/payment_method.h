#pragma once
// How purchases are paid. A purchase names its method by the id; the shop's settings say which methods are offered.

#include <span>
#include <string_view>

#include "shop/shop_store.h"

namespace tribune::shop {

struct PaymentMethod {
  std::string_view id;
  Settlement settlement = Settlement::from_balance;
  std::string_view ledger;  // from which the money of a purchase comes that is settled later; otherwise empty
};

/// balance: the account's prepaid balance. till: the viewer pays a person, who then settles the purchase.
std::span<const PaymentMethod> payment_methods();
/// nullptr for an unknown id.
const PaymentMethod* payment_method(std::string_view id);

}  // namespace tribune::shop
