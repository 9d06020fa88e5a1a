#include "balancer/routing/client_address.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <string>

namespace tribune::balancer {

ClientAddress ClientAddress::first(int bits) const {
  if (bits >= 128) return *this;
  if (bits <= 0) return {};
  if (bits > 64) return {high, low & ~std::uint64_t{0} << (128 - bits)};
  return {high & ~std::uint64_t{0} << (64 - bits), 0};
}

std::optional<ClientAddress> parse_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> name{};
  if (text.empty() || text.size() >= name.size()) return std::nullopt;
  text.copy(name.data(), text.size());
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET, name.data(), bytes.data() + 12) == 1)
    bytes[10] = bytes[11] = 0xff;
  else if (inet_pton(AF_INET6, name.data(), bytes.data()) != 1)
    return std::nullopt;
  ClientAddress made;
  for (std::size_t i = 0; i < 8; ++i) {
    made.high = made.high << 8 | bytes[i];
    made.low = made.low << 8 | bytes[8 + i];
  }
  return made;
}

std::optional<ClientPrefix> parse_prefix(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  ClientPrefix prefix{*address, 128};
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const bool is_v4 = text.find(':') == std::string_view::npos;
    int bits = 0;
    const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (wrong != std::errc{} || end != digits.data() + digits.size() || bits < 0 || bits > (is_v4 ? 32 : 128))
      return std::nullopt;
    prefix.bits = is_v4 ? bits + 96 : bits;
  }
  if (prefix.address.first(prefix.bits) != prefix.address) return std::nullopt;
  return prefix;
}

}  // namespace tribune::balancer
