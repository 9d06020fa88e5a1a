#pragma once
// Which destinations a fetch may reach: by scheme and origin for each hop, by address once a name is resolved. Nothing
// in a request or an answer leads a fetch anywhere else. Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/uri.h"

namespace tribune::net {

/// Asked again for each hop and for the address that a name resolved to.
struct DestinationPolicy {
  /// Origins ("http://host:port") that may be fetched. Empty: any http(s) origin (only for tests of this room).
  std::vector<std::string> allowed_origins;
  /// Whether loopback, private, link-local and other special addresses (RFC 6890) are allowed for *redirected or
  /// resolved* names. A configured origin that is written as such a literal address, or as "localhost", is always
  /// allowed.
  bool allow_special_addresses = false;
};

/// Loopback, private, link-local, multicast, unspecified, documentation … and every IPv6 form that carries such an IPv4
/// address. Text that is no address is special.
bool is_special_address(std::string_view address);

/// Whether a URI's host is an IPv4 or bracketed IPv6 address.
bool is_literal_address(std::string_view host);

/// Whether the origin is on the list. Errors: forbidden.
base::Status check_origin(const DestinationPolicy&, const http::Uri&);

/// Whether a connection for this URI may go to this address. Errors: forbidden.
base::Status check_address(const DestinationPolicy&, const http::Uri&, std::string_view address);

}  // namespace tribune::net
