#include "api/request_limits.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace std::chrono_literals;

TEST_CASE("a quota of a minute may be used at once, and comes back evenly") {
  api::RequestLimits limits;
  limits.apply({60, 30, 10});
  base::SteadyTime now{};
  for (int left = 59; left >= 0; --left) {
    const auto quota = limits.count_address("192.0.2.1", now);
    CHECK_FALSE(quota.retry_after.has_value());
    CHECK(quota.left == left);
    CHECK(quota.limit == 60);
  }
  const auto over = limits.count_address("192.0.2.1", now);
  REQUIRE(over.retry_after.has_value());
  CHECK(*over.retry_after == 1s);
  CHECK(over.left == 0);
  CHECK(over.full_after == 60s);
  now += 1s;
  CHECK_FALSE(limits.count_address("192.0.2.1", now).retry_after.has_value());
  CHECK(limits.count_address("192.0.2.1", now).retry_after.has_value());
  now += 60s;
  CHECK(limits.count_address("192.0.2.1", now).left == 59);
}

TEST_CASE("addresses and accounts have quotas of their own, and an IPv6 client has one for its /64") {
  api::RequestLimits limits;
  limits.apply({2, 1, 1});
  const base::SteadyTime now{};
  CHECK(limits.count_address("2001:db8::1", now).left == 1);
  CHECK(limits.count_address("2001:db8::2", now).left == 0);
  CHECK(limits.count_address("2001:db8:0:1::1", now).left == 1);
  CHECK(limits.count_address("192.0.2.1", now).left == 1);
  CHECK(limits.count_account(7, now).left == 0);
  CHECK(limits.count_account(8, now).left == 0);
  CHECK(limits.count_account(7, now).retry_after == 60s);
}

TEST_CASE("registrations of an address have a quota of an hour, beside the one of all its requests") {
  api::RequestLimits limits;
  limits.apply({1'000, 1'000, 2});
  base::SteadyTime now{};
  CHECK(limits.count_registration("192.0.2.1", now).left == 1);
  const auto last = limits.count_registration("192.0.2.1", now);
  CHECK(last.left == 0);
  CHECK(last.window == 3'600s);
  CHECK(limits.count_registration("192.0.2.1", now).retry_after == 1'800s);
  CHECK(limits.count_registration("192.0.2.2", now).left == 1);
  CHECK(limits.count_address("192.0.2.1", now).left == 999);
  now += 1'800s;
  CHECK_FALSE(limits.count_registration("192.0.2.1", now).retry_after.has_value());
}

TEST_CASE("registrations are remembered however many other clients send requests") {
  api::RequestLimits limits;
  limits.apply({1'000, 1'000, 1});
  const base::SteadyTime now{};
  CHECK(limits.count_registration("192.0.2.1", now).left == 0);
  for (std::uint64_t account = 1; account <= api::RequestLimits::kMaxKeys + 1'000; ++account)
    limits.count_account(account, now);
  CHECK(limits.count_registration("192.0.2.1", now).retry_after.has_value());
}

TEST_CASE("requests for codes have quotas of an hour by address and by login, apart from all others") {
  api::RequestLimits limits;
  limits.apply({1'000, 1'000, 1, 2, 1});
  base::SteadyTime now{};
  CHECK(limits.count_reset_request_of_address("2001:db8::1", now).left == 1);
  CHECK(limits.count_reset_request_of_address("2001:db8::2", now).left == 0);
  const auto over = limits.count_reset_request_of_address("2001:db8::3", now);
  CHECK(over.retry_after == 1'800s);
  CHECK(over.policy == "reset-address");
  const auto of_login = limits.count_reset_request_of_login("ann", now);
  CHECK(of_login.left == 0);
  CHECK(of_login.window == 3'600s);
  CHECK(of_login.policy == "reset-login");
  CHECK(limits.count_reset_request_of_login("ann", now).retry_after == 3'600s);
  CHECK_FALSE(limits.count_reset_request_of_login("bob", now).retry_after.has_value());
  CHECK(limits.count_registration("2001:db8::1", now).left == 0);
  now += 3'600s;
  CHECK_FALSE(limits.count_reset_request_of_login("ann", now).retry_after.has_value());
}

TEST_CASE("requests for codes of a login are remembered however many other requests there are") {
  api::RequestLimits limits;
  limits.apply({1'000, 1'000, 1'000, 1, 1});
  const base::SteadyTime now{};
  CHECK(limits.count_reset_request_of_address("192.0.2.1", now).left == 0);
  CHECK(limits.count_reset_request_of_login("ann", now).left == 0);
  for (std::uint64_t account = 1; account <= api::RequestLimits::kMaxKeys + 1'000; ++account)
    limits.count_account(account, now);
  CHECK(limits.count_reset_request_of_address("192.0.2.1", now).retry_after.has_value());
  CHECK(limits.count_reset_request_of_login("ann", now).retry_after.has_value());
}

TEST_CASE("the state of a quota is in the fields of the response") {
  http::Headers headers;
  api::RequestLimits::add_fields(headers, {"address", 60, 60s, 12, 48s, {}});
  CHECK(headers.first("RateLimit-Policy") == "\"address\";q=60;w=60");
  CHECK(headers.first("RateLimit") == "\"address\";r=12;t=48");
}
