#pragma once
// Reads the address of a socket's peer, and the client address that a trusted proxy reports. Pure functions.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ip_address.h"

struct sockaddr;

namespace tribune::net {

using base::IpAddress;
using base::IpAddressHash;
using base::parse_ip;
using base::PrefixList;

/// nullopt for a null pointer and for an address family other than IPv4 and IPv6.
std::optional<IpAddress> ip_of(const sockaddr* address);
std::uint16_t port_of(const sockaddr* address);

/// The client that X-Forwarded-For names, read from the right: the first address that is not a trusted proxy's own.
/// nullopt when that entry is not an address. Legal only when the peer itself is trusted.
std::optional<IpAddress> forwarded_client(std::string_view forwarded_for, const PrefixList& trusted);

}  // namespace tribune::net
