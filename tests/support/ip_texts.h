#pragma once
// IP addresses and prefixes from text that must be valid.

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace tribune::test {

inline base::IpAddress ip(std::string_view text) {
  const auto address = base::parse_ip(text);
  REQUIRE(address.has_value());
  return *address;
}

inline base::PrefixList prefixes(const std::vector<std::string>& texts) {
  auto list = base::PrefixList::parse(texts);
  REQUIRE(list.has_value());
  return *list;
}

}  // namespace tribune::test
