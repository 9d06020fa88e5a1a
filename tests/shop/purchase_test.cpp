#include "shop/purchase.h"

#include <doctest/doctest.h>

using namespace tribune::shop;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

const base::WallTime kPaidAt{1'800'000'000s};

struct ValidityCase {
  std::string_view name;
  Grant grant;
  std::optional<base::WallTime> owned_until;
  base::WallTime from;
  std::optional<base::WallTime> until;
};

Grant lasting(std::chrono::seconds valid_for) { return {true, {}, valid_for, {}, {}}; }

Grant between(std::optional<base::WallTime> from, std::optional<base::WallTime> until) {
  return {false, {"arena"}, {}, from, until};
}

const std::vector<ValidityCase>& validity_cases() {
  static const std::vector<ValidityCase> cases{
      {"without end", between({}, {}), {}, kPaidAt, {}},
      {"without end, owned", between({}, {}), kPaidAt + 1h, kPaidAt, {}},
      {"for a time", lasting(1h), {}, kPaidAt, kPaidAt + 1h},
      {"renewed", lasting(1h), kPaidAt + 10min, kPaidAt + 10min, kPaidAt + 70min},
      {"renewed at the end", lasting(1h), kPaidAt, kPaidAt, kPaidAt + 1h},
      {"renewed too late", lasting(1h), kPaidAt - 1s, kPaidAt, kPaidAt + 1h},
      {"from a date", between(kPaidAt + 5h, {}), {}, kPaidAt + 5h, {}},
      {"until a date", between({}, kPaidAt + 9h), {}, kPaidAt, kPaidAt + 9h},
      {"between dates", between(kPaidAt + 5h, kPaidAt + 9h), {}, kPaidAt + 5h, kPaidAt + 9h},
      {"between dates, owned", between(kPaidAt + 5h, kPaidAt + 9h), kPaidAt + 7h, kPaidAt + 5h, kPaidAt + 9h},
  };
  return cases;
}

}  // namespace

TEST_CASE("a grant is in effect from its payment, its date, or the end of what it renews") {
  for (const auto& validity : validity_cases()) {
    CAPTURE(validity.name);
    const auto times = validity_of(validity.grant, kPaidAt, validity.owned_until);
    CHECK(times.first == validity.from);
    CHECK(times.second == validity.until);
  }
}

TEST_CASE("a pass that is renewed again and again stays in the range of the clock") {
  std::optional<base::WallTime> until;
  for (int i = 0; i < 100; ++i) {
    const auto times = validity_of(lasting(kMaxValidity), kPaidAt, until);
    REQUIRE(times.second.has_value());
    CHECK(*times.second >= times.first);
    CHECK(*times.second >= until.value_or(kPaidAt));
    until = times.second;
  }
}

TEST_CASE("the states of purchases have names, which are parsed") {
  using State = PurchaseState;
  for (const auto state : {State::pending, State::paid, State::failed, State::refunded})
    CHECK(parse_purchase_state(to_string(state)) == state);
  CHECK(to_string(State::pending) == "pending");
  CHECK(to_string(State::paid) == "paid");
  CHECK(to_string(State::failed) == "failed");
  CHECK(to_string(State::refunded) == "refunded");
  for (const auto text : {"", "Paid", "paid ", "settled"}) CHECK_FALSE(parse_purchase_state(text).has_value());
}
