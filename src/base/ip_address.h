#pragma once
// IP addresses and prefixes. Values and pure functions.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tribune::base {

/// An IPv4 or IPv6 address. IPv4 is stored as an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), so both spellings
/// compare equal.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  constexpr bool operator==(const IpAddress&) const = default;
  /// `four_bytes` are in network order.
  static constexpr IpAddress ipv4(const std::array<std::uint8_t, 4>& four_bytes) {
    IpAddress address;
    address.bytes[10] = address.bytes[11] = 0xff;
    std::copy(four_bytes.begin(), four_bytes.end(), address.bytes.begin() + 12);
    return address;
  }
  constexpr bool is_ipv4() const {
    for (std::size_t i = 0; i < 10; ++i)
      if (bytes[i] != 0) return false;
    return bytes[10] == 0xff && bytes[11] == 0xff;
  }
  /// The first `bits` of the 128 bits; the others are 0.
  constexpr IpAddress network(int bits) const {
    IpAddress masked;
    const auto whole = static_cast<std::size_t>(bits / 8);
    std::copy_n(bytes.begin(), whole, masked.bytes.begin());
    if (bits % 8 != 0) masked.bytes[whole] = static_cast<std::uint8_t>(bytes[whole] & (0xff << (8 - bits % 8)));
    return masked;
  }
  /// The unit that limits count: the address itself for IPv4, its /64 for IPv6, where one client has a whole /64.
  constexpr IpAddress counted() const { return is_ipv4() ? *this : network(64); }
  /// "192.0.2.1", "2001:db8::1"
  std::string text() const;
};

struct IpAddressHash {
  std::size_t operator()(const IpAddress&) const;
};

/// "192.0.2.1", "2001:db8::1"; no port, no zone, no brackets.
std::optional<IpAddress> parse_ip(std::string_view text);

struct IpPrefix {
  IpAddress address;
  int bits = 128;  // of 128: for an IPv4 prefix, its length plus 96

  constexpr bool contains(const IpAddress& other) const {
    const auto whole = static_cast<std::size_t>(bits / 8);
    if (!std::equal(address.bytes.begin(), address.bytes.begin() + whole, other.bytes.begin())) return false;
    return bits % 8 == 0 || (address.bytes[whole] ^ other.bytes[whole]) >> (8 - bits % 8) == 0;
  }
  /// Whether all bits behind the prefix are 0.
  constexpr bool is_network() const { return address.network(bits) == address; }
  /// "10.0.0.0/8", "2001:db8::/32"
  std::string text() const;
};

/// "10.0.0.0/8", "fd00::/8", or one address, which is a prefix of its whole length. The length of an IPv4-mapped prefix
/// counts from the IPv4 address when it is at most 32.
std::optional<IpPrefix> parse_ip_prefix(std::string_view text);

/// Immutable.
class PrefixList {
 public:
  PrefixList() = default;
  /// The error names the first text that is not a prefix.
  static Result<PrefixList> parse(const std::vector<std::string>& prefixes);
  bool contains(const IpAddress&) const;
  bool empty() const { return prefixes_.empty(); }

 private:
  std::vector<IpPrefix> prefixes_;
};

}  // namespace tribune::base
