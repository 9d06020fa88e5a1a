#include "net/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace tribune::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

IpAddress mapped(const void* four_bytes) {
  IpAddress address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
  std::memcpy(address.bytes.data() + kMappedPrefix.size(), four_bytes, 4);
  return address;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// An entry may carry a port: "192.0.2.1:4711" or "[2001:db8::1]:4711".
std::optional<IpAddress> parse_forwarded_entry(std::string_view entry) {
  if (entry.starts_with('[')) {
    const auto end = entry.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    return parse_ip(entry.substr(1, end - 1));
  }
  const auto colon = entry.find(':');
  const bool has_port = colon != std::string_view::npos && entry.find(':', colon + 1) == std::string_view::npos;
  return parse_ip(has_port ? entry.substr(0, colon) : entry);
}

}  // namespace

bool IpAddress::is_ipv4() const { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()); }

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (is_ipv4())
    ::inet_ntop(AF_INET, bytes.data() + kMappedPrefix.size(), buffer, sizeof buffer);
  else
    ::inet_ntop(AF_INET6, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

IpAddress IpAddress::counted() const {
  if (is_ipv4()) return *this;
  IpAddress network = *this;
  std::fill(network.bytes.begin() + 8, network.bytes.end(), std::uint8_t{0});
  return network;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof buffer) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  in_addr four;
  if (::inet_pton(AF_INET, buffer, &four) == 1) return mapped(&four);
  IpAddress six;
  if (::inet_pton(AF_INET6, buffer, six.bytes.data()) == 1) return six;
  return std::nullopt;
}

std::optional<IpAddress> ip_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) return mapped(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr);
  if (address->sa_family != AF_INET6) return std::nullopt;
  IpAddress six;
  std::memcpy(six.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, six.bytes.size());
  return six;
}

std::uint16_t port_of(const sockaddr* address) {
  if (address == nullptr) return 0;
  if (address->sa_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
  if (address->sa_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
  return 0;
}

base::Result<PrefixList> PrefixList::parse(const std::vector<std::string>& prefixes) {
  PrefixList list;
  for (const auto& text : prefixes) {
    const auto wrong = [&text] {
      return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, "not an address prefix: " + text);
    };
    const auto slash = text.find('/');
    const auto address = parse_ip(std::string_view(text).substr(0, slash));
    if (!address) return wrong();
    const int offset = address->is_ipv4() ? 96 : 0;
    int bits = 128 - offset;
    if (slash != std::string::npos) {
      const char* end = text.data() + text.size();
      const auto [at, error] = std::from_chars(text.data() + slash + 1, end, bits);
      if (error != std::errc{} || at != end || bits < 0 || bits > 128 - offset) return wrong();
    }
    list.prefixes_.push_back({*address, bits + offset});
  }
  return list;
}

bool PrefixList::contains(const IpAddress& address) const {
  return std::any_of(prefixes_.begin(), prefixes_.end(), [&](const Prefix& prefix) {
    const auto whole = static_cast<std::size_t>(prefix.bits / 8);
    if (std::memcmp(address.bytes.data(), prefix.address.bytes.data(), whole) != 0) return false;
    const int rest = prefix.bits % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    return (address.bytes[whole] & mask) == (prefix.address.bytes[whole] & mask);
  });
}

std::optional<IpAddress> forwarded_client(std::string_view forwarded_for, const PrefixList& trusted) {
  std::optional<IpAddress> leftmost;
  while (!forwarded_for.empty()) {
    const auto comma = forwarded_for.rfind(',');
    const auto entry = comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1);
    const auto address = parse_forwarded_entry(trimmed(entry));
    // What stands further left was written by somebody whom no trusted proxy vouches for.
    if (!address) return leftmost;
    leftmost = address;
    if (!trusted.contains(*address) || comma == std::string_view::npos) return leftmost;
    forwarded_for = forwarded_for.substr(0, comma);
  }
  return leftmost;
}

}  // namespace tribune::net
