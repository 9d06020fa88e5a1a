#include "balancer/routing/zones.h"

#include <doctest/doctest.h>

#include "base/ip_address.h"

using namespace tribune;
using namespace tribune::balancer;

namespace {

std::string trouble(std::string_view text) {
  const auto zones = Zones::parse(text);
  return zones ? "" : zones.error().text;
}

}  // namespace

TEST_CASE("the longest prefix of a depth names the zone") {
  const auto zones = Zones::parse(
      R"({"zones": [{"group": "wide", "prefixes": ["10.0.0.0/8", "::/0"]}, {"group": "narrow", "prefixes": ["10.1.0.0/16"]},
    {"group": "deep", "prefixes": ["10.0.0.0/7"], "deep": true}]})");
  REQUIRE(zones);
  const auto match = zones->find(*base::parse_ip("10.1.2.3"));
  CHECK(match.ordinary->group == "narrow");
  CHECK(match.deep->group == "deep");
  CHECK(zones->find(*base::parse_ip("10.2.2.3")).ordinary->group == "wide");
  CHECK(zones->find(*base::parse_ip("2001:db8::1")).ordinary->group == "wide");
  CHECK(zones->find(*base::parse_ip("2001:db8::1")).deep == nullptr);
  CHECK(zones->names_group("deep"));
  CHECK_FALSE(zones->names_group("other"));
}

TEST_CASE("a broken zone file is refused with the position and the reason") {
  CHECK(trouble("{") != "");
  CHECK(trouble("{}").find("\"zones\"") != std::string::npos);
  CHECK(trouble("{\"zones\": [\n {\"group\": \"a\", \"prefixes\": [\"10.0.0.1/8\"]}]}").starts_with("2:"));
  CHECK(trouble(R"({"zones": [{"group": "a", "prefixes": ["10.0.0.0/8", "10.0.0.0/8"]}]})").find("duplicate prefix") !=
        std::string::npos);
  CHECK(trouble(R"({"zones": [{"prefixes": []}]})").find("group") != std::string::npos);
  CHECK(trouble(R"({"zones": [{"group": "a", "prefixes": [], "deeep": true}]})").find("deeep") != std::string::npos);
}

TEST_CASE("a prefix has no bits set beyond its length, and the length fits its family") {
  const auto is_taken = [](const std::string& prefix) {
    return trouble(R"({"zones": [{"group": "a", "prefixes": [")" + prefix + R"("]}]})").empty();
  };
  CHECK(is_taken("10.0.0.0/8"));
  CHECK_FALSE(is_taken("10.0.0.1/8"));
  CHECK_FALSE(is_taken("10.0.0.0/33"));
  CHECK(is_taken("2001:db8::/32"));
  CHECK_FALSE(is_taken("2001:db8::/129"));
  CHECK(is_taken("192.0.2.1"));
  CHECK_FALSE(is_taken("10.0.0.0/"));
  CHECK_FALSE(is_taken("stadium"));
}
