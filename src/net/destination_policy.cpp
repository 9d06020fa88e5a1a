#include "net/destination_policy.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/ip_address.h"

namespace tribune::net {
namespace {

using base::IpAddress;
using base::IpPrefix;

using Groups = std::array<std::uint8_t, 4>;

constexpr IpPrefix ipv4(const Groups& address, int bits) { return {IpAddress::ipv4(address), 96 + bits}; }

/// A prefix of at most 32 bits, from its first four bytes.
constexpr IpPrefix ipv6(const Groups& first, int bits) {
  IpPrefix prefix{{}, bits};
  std::copy(first.begin(), first.end(), prefix.address.bytes.begin());
  return prefix;
}

/// The registry of RFC 6890 and later additions.
constexpr std::array kSpecialIpv4{
    ipv4({0, 0, 0, 0}, 8),      ipv4({10, 0, 0, 0}, 8),     ipv4({100, 64, 0, 0}, 10), ipv4({127, 0, 0, 0}, 8),
    ipv4({169, 254, 0, 0}, 16), ipv4({172, 16, 0, 0}, 12),  ipv4({192, 0, 0, 0}, 24),  ipv4({192, 0, 2, 0}, 24),
    ipv4({192, 88, 99, 0}, 24), ipv4({192, 168, 0, 0}, 16), ipv4({198, 18, 0, 0}, 15), ipv4({198, 51, 100, 0}, 24),
    ipv4({203, 0, 113, 0}, 24), ipv4({224, 0, 0, 0}, 4),    ipv4({240, 0, 0, 0}, 4),
};

/// Loopback, mapped, local and multicast addresses are outside this prefix.
constexpr auto kGlobalUnicast = ipv6({0x20, 0, 0, 0}, 3);

constexpr std::array kSpecialInGlobalUnicast{
    ipv6({0x20, 0x01, 0x00, 0x00}, 23),  // protocol assignments, with Teredo
    ipv6({0x20, 0x01, 0x0d, 0xb8}, 32),  // documentation
    ipv6({0x3f, 0xff, 0x00, 0x00}, 16),  // documentation
    ipv6({0x20, 0x02, 0x00, 0x00}, 16),  // 6to4
};

/// RFC 6052.
constexpr IpPrefix kNat64{{{0x00, 0x64, 0xff, 0x9b}}, 96};

template <std::size_t kCount>
bool is_in(const std::array<IpPrefix, kCount>& prefixes, const IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const IpPrefix& p) { return p.contains(address); });
}

bool is_special_ipv6(const IpAddress& address) {
  // A NAT64 address is special when the embedded IPv4 address is.
  if (kNat64.contains(address)) {
    Groups inside;
    std::copy(address.bytes.begin() + 12, address.bytes.end(), inside.begin());
    return is_in(kSpecialIpv4, IpAddress::ipv4(inside));
  }
  return !kGlobalUnicast.contains(address) || is_in(kSpecialInGlobalUnicast, address);
}

auto forbidden(std::string text) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::origin, std::move(text));
}

bool is_listed(const DestinationPolicy& policy, const http::Uri& uri) {
  const auto origin = uri.origin();
  return std::any_of(policy.allowed_origins.begin(), policy.allowed_origins.end(), [&](const std::string& allowed) {
    if (allowed == origin) return true;
    const auto parsed = http::parse_uri(allowed);
    return parsed && parsed->origin() == origin;
  });
}

}  // namespace

bool is_special_address(std::string_view address) {
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  const auto ip = base::parse_ip(address);
  if (!ip) return true;
  const bool is_written_as_ipv6 = address.find(':') != std::string_view::npos;
  return is_written_as_ipv6 ? is_special_ipv6(*ip) : is_in(kSpecialIpv4, *ip);
}

bool is_literal_address(std::string_view host) {
  if (host.starts_with('[')) return true;
  return host.find(':') == std::string_view::npos && base::parse_ip(host).has_value();
}

base::Status check_origin(const DestinationPolicy& policy, const http::Uri& uri) {
  if (uri.scheme != "http" && uri.scheme != "https")
    return forbidden("the scheme " + uri.scheme + " is neither http nor https");
  if (policy.allowed_origins.empty() || is_listed(policy, uri)) return {};
  return forbidden(uri.origin() + " is not among the allowed origins");
}

base::Status check_address(const DestinationPolicy& policy, const http::Uri& uri, std::string_view address) {
  if (policy.allow_special_addresses || !is_special_address(address)) return {};
  const bool says_so_itself = uri.host == "localhost" || is_literal_address(uri.host);
  if (says_so_itself && is_listed(policy, uri)) return {};
  return forbidden(uri.host + " resolves to the special-purpose address " + std::string(address) +
                   ", which the setting allow_special_addresses does not allow");
}

}  // namespace tribune::net
