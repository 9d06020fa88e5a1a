#include "net/client_address.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "base/bytes.h"

namespace tribune::net {
namespace {

IpAddress ipv4_of(const sockaddr* address) {
  std::array<std::uint8_t, 4> bytes;
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, bytes.size());
  return IpAddress::ipv4(bytes);
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

std::optional<IpAddress> ip_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) return ipv4_of(address);
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

std::optional<IpAddress> forwarded_client(std::string_view forwarded_for, const PrefixList& trusted) {
  std::optional<IpAddress> leftmost;
  while (!forwarded_for.empty()) {
    const auto comma = forwarded_for.rfind(',');
    const auto entry = comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1);
    const auto address = parse_forwarded_entry(base::trimmed(entry));
    // The entries further left were not added by a trusted proxy.
    if (!address) return leftmost;
    leftmost = address;
    if (!trusted.contains(*address) || comma == std::string_view::npos) return leftmost;
    forwarded_for = forwarded_for.substr(0, comma);
  }
  return leftmost;
}

}  // namespace tribune::net
