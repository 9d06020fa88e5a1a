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
  base::WallTime uncovered;
  base::WallTime from;
  std::optional<base::WallTime> until;
};

Grant lasting(std::chrono::seconds valid_for) { return {true, {}, valid_for, {}, {}}; }

Entitlement owning(base::WallTime from, std::optional<base::WallTime> until) {
  return {1, true, {}, from, until, "day"};
}

Grant between(std::optional<base::WallTime> from, std::optional<base::WallTime> until) {
  return {false, {"arena"}, {}, from, until};
}

const std::vector<ValidityCase>& validity_cases() {
  static const std::vector<ValidityCase> cases{
      {"without end", between({}, {}), kPaidAt, kPaidAt, {}},
      {"without end, owned", between({}, {}), kPaidAt + 1h, kPaidAt, {}},
      {"for a time", lasting(1h), kPaidAt, kPaidAt, kPaidAt + 1h},
      {"renewed", lasting(1h), kPaidAt + 10min, kPaidAt + 10min, kPaidAt + 70min},
      {"from a date", between(kPaidAt + 5h, {}), kPaidAt, kPaidAt + 5h, {}},
      {"until a date", between({}, kPaidAt + 9h), kPaidAt, kPaidAt, kPaidAt + 9h},
      {"between dates", between(kPaidAt + 5h, kPaidAt + 9h), kPaidAt, kPaidAt + 5h, kPaidAt + 9h},
      {"between dates, owned", between(kPaidAt + 5h, kPaidAt + 9h), kPaidAt + 7h, kPaidAt + 5h, kPaidAt + 9h},
  };
  return cases;
}

}  // namespace

TEST_CASE("a grant is in effect from its payment, its date, or the end of what it renews") {
  for (const auto& validity : validity_cases()) {
    CAPTURE(validity.name);
    const auto times = validity_of(validity.grant, kPaidAt, validity.uncovered);
    CHECK(times.first == validity.from);
    CHECK(times.second == validity.until);
  }
}

TEST_CASE("a pass that is renewed again and again stays in the range of the clock") {
  auto until = kPaidAt;
  for (int i = 0; i < 100; ++i) {
    const auto times = validity_of(lasting(kMaxValidity), kPaidAt, until);
    REQUIRE(times.second.has_value());
    CHECK(*times.second >= times.first);
    CHECK(*times.second >= until);
    until = *times.second;
  }
}

TEST_CASE("the first uncovered moment is the end of what is in effect without a gap") {
  const auto now = kPaidAt;
  CHECK(first_uncovered({}, now) == now);
  CHECK(first_uncovered({owning(now - 1h, now + 1h)}, now) == now + 1h);
  CHECK(first_uncovered({owning(now - 2h, now - 1h)}, now) == now);
  CHECK(first_uncovered({owning(now - 2h, now)}, now) == now);
  CHECK(first_uncovered({owning(now, now + 1h)}, now) == now + 1h);
  CHECK(first_uncovered({owning(now + 1s, now + 1h)}, now) == now);
  CHECK(first_uncovered({owning(now + 1h, now + 2h), owning(now, now + 1h)}, now) == now + 2h);
  CHECK(first_uncovered({owning(now, now + 5h), owning(now + 1h, now + 2h)}, now) == now + 5h);
  CHECK(first_uncovered({owning(now, now + 1h), owning(now + 2h, now + 3h)}, now) == now + 1h);
  CHECK(first_uncovered({owning(now - 1h, {})}, now) == std::nullopt);
  CHECK(first_uncovered({owning(now, now + 1h), owning(now + 1h, {})}, now) == std::nullopt);
  CHECK(first_uncovered({owning(now + 1h, {})}, now) == now);
}

TEST_CASE("a grant that would give nothing, or end too late, is owned already") {
  const auto now = kPaidAt;
  const Grant endless = between({}, {}), fixed = between({}, now + 9h), longest = lasting(kMaxValidity);
  for (const auto& grant : {endless, fixed, longest, lasting(1h)}) {
    CHECK_FALSE(is_already_owned(grant, {}, now));
    CHECK(is_already_owned(grant, {owning(now, {})}, now));
    CHECK(is_already_owned(grant, {owning(now + 1h, {})}, now));
  }
  CHECK_FALSE(is_already_owned(endless, {owning(now, now + 9h)}, now));
  CHECK_FALSE(is_already_owned(fixed, {owning(now, now + 9h - 1s)}, now));
  CHECK(is_already_owned(fixed, {owning(now, now + 9h)}, now));
  CHECK(is_already_owned(fixed, {owning(now, now + 10h)}, now));
  CHECK_FALSE(is_already_owned(lasting(1h), {owning(now, now + kMaxValidity - 1h)}, now));
  CHECK(is_already_owned(lasting(1h), {owning(now, now + kMaxValidity - 1h + 1s)}, now));
  CHECK(is_already_owned(longest, {owning(now, now + 1s)}, now));
  CHECK_FALSE(is_already_owned(longest, {owning(now + 1s, now + kMaxValidity)}, now));
}

TEST_CASE("nothing is sold whose time would end at the end of time") {
  const base::WallTime last{std::chrono::seconds(7'258'118'400)};
  CHECK_FALSE(is_already_owned(lasting(1h), {}, last - 1s));
  CHECK(is_already_owned(lasting(1h), {}, last));
  CHECK(is_already_owned(lasting(1h), {owning(last - 1h, last)}, last - 1s));
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
