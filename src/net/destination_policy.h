#pragma once
// Restricts the destinations of fetches: by scheme and origin for each hop, and by address once a name is resolved.
// Neither a request nor a response can lead a fetch to another destination. Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/uri.h"

namespace tribune::net {

/// Applied to each hop, and to the address to which the name resolved.
struct DestinationPolicy {
  /// Origins ("http://host:port") that may be fetched. Empty: any http(s) origin (only for tests of this library).
  std::vector<std::string> allowed_origins;
  /// Whether loopback, private, link-local and other special addresses (RFC 6890) are allowed for *redirected or
  /// resolved* names. A configured origin that is written as such a literal address, or as "localhost", is always
  /// allowed.
  bool allow_special_addresses = false;
};

/// Loopback, private, link-local, multicast, unspecified, documentation … and every IPv6 form that carries such an IPv4
/// address. Text that is not an address counts as special.
bool is_special_address(std::string_view address);

/// Whether a URI's host is an IPv4 or bracketed IPv6 address.
bool is_literal_address(std::string_view host);

/// Whether the origin is on the list. Errors: forbidden.
base::Status check_origin(const DestinationPolicy&, const http::Uri&);

/// Whether a connection for this URI may go to this address. Errors: forbidden.
base::Status check_address(const DestinationPolicy&, const http::Uri&, std::string_view address);

}  // namespace tribune::net
