#include "contracts/signed_body.h"

#include <doctest/doctest.h>

#include "contracts/heartbeat.h"
#include "contracts/keys.h"

using namespace tribune;
using namespace tribune::contracts;
using namespace std::chrono_literals;
using test::kNow;
using test::kSkew;

TEST_CASE("a signed body is accepted in its context and time only") {
  const auto ring = test::one_key();
  const auto context = "POST " + heartbeat_path("stadium");
  const auto body = std::string(R"({"node": "stadium", "connections": 17, "reason": "disk full"})");
  const auto header = sign_body(ring, context, body, kNow);
  CHECK(verify_body(ring, context, body, header, kNow, kSkew));
  CHECK(verify_body(ring, context, body, header, kNow + kSkew, kSkew));
  CHECK(verify_body(ring, context, body, header, kNow - kSkew, kSkew));
  CHECK_FALSE(verify_body(ring, context, body, header, kNow + kSkew + 1ms, kSkew));
  CHECK_FALSE(verify_body(ring, context, body, header, kNow - kSkew - 1ms, kSkew));
  CHECK_FALSE(verify_body(ring, "POST " + heartbeat_path("city"), body, header, kNow, kSkew));
  CHECK_FALSE(verify_body(ring, "200 " + heartbeat_path("stadium"), body, header, kNow, kSkew));
  CHECK_FALSE(verify_body(test::other_key(), context, body, header, kNow, kSkew));
  CHECK_FALSE(verify_body(ring, context, body, "", kNow, kSkew));
}

TEST_CASE("every changed bit of a signed body or its signature is refused") {
  const auto ring = test::one_key();
  const auto body = std::string(R"({"node": "stadium", "connections": 17, "reason": "disk full"})");
  const auto header = sign_body(ring, "c", body, kNow);
  test::refuse_every_flip(
      body, [&](const std::string& b) { return verify_body(ring, "c", b, header, kNow, kSkew).has_value(); });
  const auto accepts = [&](const std::string& h) { return verify_body(ring, "c", body, h, kNow, kSkew).has_value(); };
  test::refuse_every_flip(header, accepts);
  test::refuse_every_cut(header, accepts);
}
