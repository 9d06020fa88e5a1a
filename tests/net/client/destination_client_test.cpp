#include <doctest/doctest.h>

#include "net/destination_policy.h"

using namespace tribune;
using net::check_address;
using net::check_origin;
using net::DestinationPolicy;

namespace {
http::Uri uri(std::string_view text) { return *http::parse_uri(text); }
}  // namespace

TEST_CASE("special addresses are recognised in every notation") {
  for (const auto address : {"0.0.0.0",
                             "10.1.2.3",
                             "100.64.0.1",
                             "100.127.255.255",
                             "127.0.0.1",
                             "127.255.255.255",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.9.9",
                             "192.0.0.1",
                             "192.0.2.1",
                             "192.168.1.1",
                             "198.18.0.1",
                             "198.19.255.255",
                             "198.51.100.7",
                             "203.0.113.7",
                             "224.0.0.1",
                             "239.1.1.1",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "[::1]",
                             "fe80::1",
                             "febf::1",
                             "fec0::1",
                             "fc00::1",
                             "fd12:3456::1",
                             "ff02::1",
                             "::ffff:10.0.0.1",
                             "::ffff:8.8.8.8",
                             "::127.0.0.1",
                             "64:ff9b::7f00:1",
                             "64:ff9b::10.0.0.1",
                             "64:ff9b:1::1",
                             "100::1",
                             "2001::1",
                             "2001:db8::1",
                             "2002:7f00:1::1",
                             "3fff::1",
                             "",
                             "localhost",
                             "127.1",
                             "0x7f.0.0.1",
                             "2130706433",
                             "fe80::1%eth0"}) {
    CAPTURE(address);
    CHECK(net::is_special_address(address));
  }
  for (const auto address :
       {"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
        "192.0.1.1", "223.255.255.255", "2606:4700::1111", "[2a00:1450::1]", "2001:4860::8888", "64:ff9b::8.8.8.8"}) {
    CAPTURE(address);
    CHECK_FALSE(net::is_special_address(address));
  }
}

TEST_CASE("only listed origins may be fetched, in whatever notation") {
  const DestinationPolicy policy{{"http://Origin.Example:80", "https://b:8443"}, false};
  CHECK(check_origin(policy, uri("http://origin.example/x")).has_value());
  CHECK(check_origin(policy, uri("https://b:8443/")).has_value());
  for (const auto text : {"https://origin.example/", "http://origin.example:81/", "http://b:8443/",
                          "http://evil.origin.example/", "http://origin.example.evil/"}) {
    CAPTURE(text);
    const auto refused = check_origin(policy, uri(text));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == base::ErrorKind::forbidden);
  }
  CHECK(check_origin({}, uri("http://any/")).has_value());
}

TEST_CASE("a special address requires permission, or an origin with that literal address") {
  const DestinationPolicy strict{
      {"http://127.0.0.1:8088", "http://localhost:8088", "http://name:8088", "http://[::1]:8088"}, false};
  CHECK(check_address(strict, uri("http://127.0.0.1:8088/"), "127.0.0.1").has_value());
  CHECK(check_address(strict, uri("http://[::1]:8088/"), "::1").has_value());
  CHECK(check_address(strict, uri("http://localhost:8088/"), "::1").has_value());
  CHECK_FALSE(check_address(strict, uri("http://name:8088/"), "127.0.0.1").has_value());
  CHECK_FALSE(check_address(strict, uri("http://127.0.0.1:9080/"), "127.0.0.1").has_value());
  CHECK(check_address(strict, uri("http://name:8088/"), "8.8.8.8").has_value());
  const DestinationPolicy lenient{{"http://name:8088"}, true};
  CHECK(check_address(lenient, uri("http://name:8088/"), "10.0.0.1").has_value());
  CHECK_FALSE(check_address({}, uri("http://127.0.0.1/"), "127.0.0.1").has_value());
}
