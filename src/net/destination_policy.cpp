#include "net/destination_policy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

namespace tribune::net {
namespace {

using Bytes16 = std::array<std::uint8_t, 16>;

struct Prefix4 {
  std::uint32_t address;
  unsigned bits;
};

constexpr std::uint32_t ip4(unsigned a, unsigned b, unsigned c, unsigned d) { return a << 24 | b << 16 | c << 8 | d; }

/// RFC 6890's registry, and what came later.
constexpr std::array kSpecial4{
    Prefix4{ip4(0, 0, 0, 0), 8},      Prefix4{ip4(10, 0, 0, 0), 8},     Prefix4{ip4(100, 64, 0, 0), 10},
    Prefix4{ip4(127, 0, 0, 0), 8},    Prefix4{ip4(169, 254, 0, 0), 16}, Prefix4{ip4(172, 16, 0, 0), 12},
    Prefix4{ip4(192, 0, 0, 0), 24},   Prefix4{ip4(192, 0, 2, 0), 24},   Prefix4{ip4(192, 88, 99, 0), 24},
    Prefix4{ip4(192, 168, 0, 0), 16}, Prefix4{ip4(198, 18, 0, 0), 15},  Prefix4{ip4(198, 51, 100, 0), 24},
    Prefix4{ip4(203, 0, 113, 0), 24}, Prefix4{ip4(224, 0, 0, 0), 4},    Prefix4{ip4(240, 0, 0, 0), 4},
};

bool is_special4(std::uint32_t address) {
  return std::any_of(kSpecial4.begin(), kSpecial4.end(),
                     [&](const Prefix4& p) { return (address ^ p.address) >> (32 - p.bits) == 0; });
}

bool begins_with(const Bytes16& address, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

std::uint32_t last_four(const Bytes16& a) { return ip4(a[12], a[13], a[14], a[15]); }

bool is_special6(const Bytes16& address) {
  // NAT64 (RFC 6052) is as special as the IPv4 address inside.
  if (begins_with(address, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return is_special4(last_four(address));
  // Global unicast is 2000::/3; loopback, mapped, local and multicast addresses all lie outside.
  if ((address[0] & 0xe0) != 0x20) return true;
  const bool is_protocol_assignment =
      begins_with(address, {0x20, 0x01}) && (address[2] & 0xfe) == 0;  // 2001::/23, with Teredo
  const bool is_documentation = begins_with(address, {0x20, 0x01, 0x0d, 0xb8}) || begins_with(address, {0x3f, 0xff});
  const bool is_6to4 = begins_with(address, {0x20, 0x02});
  return is_protocol_assignment || is_documentation || is_6to4;
}

std::string without_brackets(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return std::string(host);
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
  const std::string text = without_brackets(address);
  in_addr four{};
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) return is_special4(ntohl(four.s_addr));
  Bytes16 six{};
  if (inet_pton(AF_INET6, text.c_str(), six.data()) == 1) return is_special6(six);
  return true;
}

bool is_literal_address(std::string_view host) {
  if (host.starts_with('[')) return true;
  in_addr four{};
  return inet_pton(AF_INET, std::string(host).c_str(), &four) == 1;
}

base::Status check_origin(const DestinationPolicy& policy, const http::Uri& uri) {
  if (uri.scheme != "http" && uri.scheme != "https") return forbidden(uri.scheme + ": is neither http nor https");
  if (policy.allowed_origins.empty() || is_listed(policy, uri)) return {};
  return forbidden(uri.origin() + " is not among the allowed origins");
}

base::Status check_address(const DestinationPolicy& policy, const http::Uri& uri, std::string_view address) {
  if (policy.allow_special_addresses || !is_special_address(address)) return {};
  const bool says_so_itself = uri.host == "localhost" || is_literal_address(uri.host);
  if (says_so_itself && is_listed(policy, uri)) return {};
  return forbidden(uri.host + " leads to the special address " + std::string(address));
}

}  // namespace tribune::net
