#pragma once
// A client's address as a number that is compared with prefixes. Values and pure functions.

#include <cstdint>
#include <optional>
#include <string_view>

namespace tribune::balancer {

/// 128 bits; an IPv4 address stands as ::ffff:a.b.c.d.
struct ClientAddress {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const ClientAddress&) const = default;

  bool is_v4() const { return high == 0 && low >> 32 == 0xffff; }
  /// The first `bits` bits; the rest are 0.
  ClientAddress first(int bits) const;
};

/// nullopt for a text that is no address.
std::optional<ClientAddress> parse_address(std::string_view text);

struct ClientPrefix {
  ClientAddress address;
  int bits = 128;  // of 128: an IPv4 prefix has 96 more
};

/// "10.0.0.0/8", "2001:db8::/32", or one address. nullopt for anything else, or with bits set behind the prefix.
std::optional<ClientPrefix> parse_prefix(std::string_view text);

}  // namespace tribune::balancer
