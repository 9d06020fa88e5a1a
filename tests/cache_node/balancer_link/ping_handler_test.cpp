#include "cache_node/balancer_link/ping_handler.h"

#include <doctest/doctest.h>

#include "base/json.h"
#include "cache_node/node_under_test.h"
#include "contracts/receipt.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

TEST_CASE("a ping is answered with a signed receipt for the client's prefix, and the response may not be cached") {
  const base::ManualClock clock;
  PublishedNodeView view(make_node_view(base::KeyRing({{"k1", "a secret of sixteen bytes", std::nullopt}}),
                                        std::chrono::seconds(30), {}, "stadium"));
  http::Request request;
  request.client = "192.0.2.77";
  const auto response = PingHandler(clock, view).answer(request);
  CHECK(response.status == 200);
  CHECK(response.headers.first("Cache-Control") == "no-store");
  CHECK(response.headers.first("Content-Type") == "application/json");
  const auto body = base::json::parse(std::get<std::string>(response.body));
  REQUIRE(body.has_value());
  CHECK(body->text("node") == "stadium");
  const auto receipt = contracts::read_receipt(keys(), body->text("receipt").value_or(""), clock.wall_now(),
                                               std::chrono::seconds(60), std::chrono::seconds(5));
  REQUIRE(receipt.has_value());
  CHECK(*receipt == contracts::Receipt{"stadium", "192.0.2.0/24", base::unix_seconds(clock.wall_now())});
}
