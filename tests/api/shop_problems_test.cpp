#include "api/shop_problems.h"

#include <doctest/doctest.h>

#include <string>
#include <variant>

#include "base/json.h"

using namespace tribune;
using namespace tribune::api;
using shop::ShopRefusal;

namespace {

http::Response refusal(ShopRefusal why) {
  return shop_problem({}, {shop::ShopFailure::refused, {why, {250, "EUR"}, 3, shop::PurchaseState::paid}});
}

base::json::Value members_of(ShopRefusal why) {
  auto value = base::json::parse(std::get<std::string>(refusal(why).body));
  REQUIRE(value);
  return std::move(*value);
}

}  // namespace

TEST_CASE("each refusal of the shop has a status that tells an app what to do") {
  for (const auto& [why, status] : {std::pair{ShopRefusal::product_unknown, 404},
                                    {ShopRefusal::option_unknown, 400},
                                    {ShopRefusal::quantity, 400},
                                    {ShopRefusal::price_changed, 409},
                                    {ShopRefusal::sold_out, 409},
                                    {ShopRefusal::already_owned, 409},
                                    {ShopRefusal::balance_insufficient, 402},
                                    {ShopRefusal::balance_limit, 409},
                                    {ShopRefusal::account_unknown, 401},
                                    {ShopRefusal::key_reused, 422},
                                    {ShopRefusal::purchase_unknown, 404},
                                    {ShopRefusal::wrong_state, 409},
                                    {ShopRefusal::voucher_unknown, 404},
                                    {ShopRefusal::voucher_used, 409}}) {
    CHECK(refusal(why).status == status);
  }
}

TEST_CASE("a refusal has the number that a program needs, and no other one") {
  CHECK(members_of(ShopRefusal::price_changed).find("price")->whole("amount") == 250);
  CHECK(members_of(ShopRefusal::balance_insufficient).find("missing")->text("currency") == "EUR");
  CHECK(members_of(ShopRefusal::sold_out).whole("left") == 3);
  CHECK(members_of(ShopRefusal::wrong_state).text("state") == "paid");
  CHECK(members_of(ShopRefusal::price_changed).object.size() == 5);
  CHECK(members_of(ShopRefusal::already_owned).object.size() == 4);
}

TEST_CASE("the refusal of an account that does not exist any more has the challenge of a 401") {
  CHECK(refusal(ShopRefusal::account_unknown).headers.first("WWW-Authenticate").has_value());
}
