#include "base/ip_address.h"

#include <doctest/doctest.h>

#include "support/ip_texts.h"

using namespace tribune::base;
using tribune::test::ip;
using tribune::test::prefixes;

TEST_CASE("addresses are read and written, mapped IPv4 is IPv4") {
  CHECK(ip("192.0.2.1").text() == "192.0.2.1");
  CHECK(ip("::ffff:192.0.2.1") == ip("192.0.2.1"));
  CHECK(ip("2001:DB8::1").text() == "2001:db8::1");
  for (const auto bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.4 ", "::g", "[::1]", "1.2.3.4:80", "fe80::1%eth0", "x"})
    CHECK_MESSAGE(!parse_ip(bad).has_value(), bad);
}

TEST_CASE("an IPv6 client is counted by its /64") {
  CHECK(ip("2001:db8::1").counted() == ip("2001:db8::ffff:1").counted());
  CHECK(ip("2001:db8::1").counted() != ip("2001:db8:0:1::1").counted());
  CHECK(ip("192.0.2.1").counted() != ip("192.0.2.2").counted());
}

TEST_CASE("prefixes contain exactly the addresses that they cover") {
  const auto list = prefixes({"10.0.0.0/8", "192.0.2.128/25", "::1", "fd00::/8", "203.0.113.7"});
  for (const auto in : {"10.255.0.1", "192.0.2.129", "::1", "fd12::1", "203.0.113.7", "::ffff:10.0.0.1"})
    CHECK_MESSAGE(list.contains(ip(in)), in);
  for (const auto out : {"11.0.0.1", "192.0.2.1", "::2", "fe00::1", "203.0.113.8"})
    CHECK_MESSAGE(!list.contains(ip(out)), out);
  CHECK(prefixes({"0.0.0.0/0"}).contains(ip("1.2.3.4")));
  CHECK_FALSE(prefixes({"0.0.0.0/0"}).contains(ip("2001:db8::1")));
  for (const auto bad : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "x/8"})
    CHECK_MESSAGE(!PrefixList::parse({bad}).has_value(), bad);
}

TEST_CASE("a prefix is one address, or an address and a length") {
  CHECK(parse_ip_prefix("10.0.0.0/8"));
  CHECK_FALSE(parse_ip_prefix("10.0.0.0/33"));
  CHECK(parse_ip_prefix("2001:db8::/32"));
  CHECK_FALSE(parse_ip_prefix("2001:db8::/129"));
  CHECK(parse_ip_prefix("192.0.2.1")->bits == 128);
  CHECK(parse_ip_prefix("10.0.0.0/8")->bits == 104);
  CHECK_FALSE(parse_ip_prefix("10.0.0.0/"));
  CHECK_FALSE(parse_ip_prefix("stadium"));
  CHECK_FALSE(parse_ip_prefix("10.0.0.0/-0"));
  CHECK_FALSE(parse_ip(std::string_view("10.0.0.1\0", 9)));
  CHECK(parse_ip_prefix("10.0.0.0/8")->is_network());
  CHECK_FALSE(parse_ip_prefix("10.0.0.1/8")->is_network());
  CHECK(parse_ip_prefix("10.0.0.0/8")->text() == "10.0.0.0/8");
  CHECK(parse_ip_prefix("2001:DB8::/32")->text() == "2001:db8::/32");
  CHECK(parse_ip_prefix("192.0.2.1")->text() == "192.0.2.1/32");
  CHECK(parse_ip_prefix("::/0")->text() == "::/0");
}

TEST_CASE("the length of a mapped prefix never makes it wider than the IPv4 address space") {
  CHECK(parse_ip_prefix("::ffff:10.0.0.0/8")->bits == 104);
  CHECK(parse_ip_prefix("::ffff:10.0.0.0/104")->bits == 104);
  CHECK_FALSE(parse_ip_prefix("::ffff:10.0.0.0/40"));
  CHECK_FALSE(parse_ip_prefix("10.0.0.0/104"));
}

TEST_CASE("the bits of a network behind its prefix are zero") {
  CHECK(ip("10.1.2.77").network(96 + 24) == ip("10.1.2.0"));
  CHECK(ip("10.1.2.77").network(96 + 28) == ip("10.1.2.64"));
  CHECK(ip("2001:db8:1:2::9").network(48) == ip("2001:db8:1::"));
  CHECK(ip("2001:db8::1").network(0) == ip("::"));
  CHECK(ip("2001:db8::1").network(128) == ip("2001:db8::1"));
  CHECK(ip("255.255.255.255").text() == "255.255.255.255");
}
