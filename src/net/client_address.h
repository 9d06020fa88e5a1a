#pragma once
// Addresses of peers, prefixes that are trusted, and the client that a trusted proxy names. Pure functions and values.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct sockaddr;

namespace tribune::net {

/// An IPv4 or IPv6 address; IPv4 is kept as an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), so both spellings
/// compare equal.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const IpAddress&) const = default;
  bool is_ipv4() const;
  std::string text() const;
  /// What limits count: the address itself for IPv4, its /64 for IPv6, where one client has a whole /64.
  IpAddress counted() const;
};

struct IpAddressHash {
  std::size_t operator()(const IpAddress& a) const {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(a.bytes.data()), a.bytes.size()});
  }
};

/// "192.0.2.1", "2001:db8::1"; no port, no zone.
std::optional<IpAddress> parse_ip(std::string_view text);
std::optional<IpAddress> ip_of(const sockaddr* address);
std::uint16_t port_of(const sockaddr* address);

/// Immutable.
class PrefixList {
 public:
  PrefixList() = default;
  /// "10.0.0.0/8", "::1", "fd00::/8"; an error names the prefix that is not one.
  static base::Result<PrefixList> parse(const std::vector<std::string>& prefixes);
  bool contains(const IpAddress&) const;
  bool empty() const { return prefixes_.empty(); }

 private:
  struct Prefix {
    IpAddress address;
    int bits;
  };
  std::vector<Prefix> prefixes_;
};

/// The client that X-Forwarded-For names, read from the right: the first address that is not a trusted proxy's own.
/// Nothing when the field names none that can be read. Only to be asked when the peer itself is trusted.
std::optional<IpAddress> forwarded_client(std::string_view forwarded_for, const PrefixList& trusted);

}  // namespace tribune::net
