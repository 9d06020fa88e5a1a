#pragma once
// What a page of another site can make an operator's browser send, told from what operators send themselves. A page
// cannot choose the fields Host, Origin, Sec-Fetch-Site and Referer, so they say where a browser's request came from
// (Fetch standard, sections 2.2 and 3.2; W3C Fetch Metadata). Programs that are no browser send none of the last three.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/ip_address.h"
#include "http/message.h"

namespace tribune::runtime {

/// The hosts by which a listener may be addressed. A name that anybody may let point here (DNS rebinding) is none of
/// them. "localhost" and loopback addresses always are. Immutable; const methods from any thread.
class HostNames {
 public:
  /// The names, and the hosts of the listening addresses. A listener on every address may be addressed by each of them.
  HostNames(const std::vector<std::string>& names, const std::vector<std::string>& listen);
  /// The names, and every address: no page has an address of somebody else's server as the name of its own site.
  static HostNames with_any_address(const std::vector<std::string>& names);

  /// `host`: a Host field, with or without a port. An absent one (HTTP/1.0) is accepted, for browsers always send it.
  bool has(std::string_view host) const;

 private:
  std::unordered_set<std::string> names_;  // lower case
  std::vector<base::IpAddress> addresses_;
  bool any_address_ = false;
};

/// Whether a browser says that a page of another site, or of another port of this one, is behind the request.
bool is_cross_site(const http::Request&);

/// Why a listener for operators refuses the request whoever sends it: 421 for a host that is not its own, 403 for a
/// page of another site, 415 for a write that a page may send to other sites without asking (Fetch standard,
/// section 4.9: a CORS-safelisted content type, or none).
std::optional<http::Response> refusal_of_site(const http::Request&, const HostNames&);

}  // namespace tribune::runtime
