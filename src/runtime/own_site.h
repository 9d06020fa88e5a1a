#pragma once
// Protects listeners for operators against requests that a page of another site makes an operator's browser send. A
// page cannot choose the fields Host, Origin, Sec-Fetch-Site and Referer, so they identify the origin of a browser's
// request (Fetch standard, sections 2.2 and 3.2; W3C Fetch Metadata). Programs other than browsers do not send the last
// three.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/ip_address.h"
#include "http/message.h"

namespace tribune::runtime {

/// The hosts by which a listener may be addressed. Other names are rejected, because anybody can point a name at this
/// address (DNS rebinding). "localhost" and loopback addresses are always accepted. Immutable; const methods from any
/// thread.
class HostNames {
 public:
  /// Accepts the names and the hosts of the listening addresses; for a wildcard address (0.0.0.0 or ::), every IP
  /// address.
  HostNames(const std::vector<std::string>& names, const std::vector<std::string>& listen);
  /// Accepts the names and every IP address. That is safe: DNS rebinding needs a name, not an address.
  static HostNames with_any_address(const std::vector<std::string>& names);

  /// `host`: a Host field, with or without a port. An absent one (HTTP/1.0) is accepted, because browsers always send
  /// it.
  bool has(std::string_view host) const;

 private:
  std::unordered_set<std::string> names_;  // lower case
  std::vector<base::IpAddress> addresses_;
  bool any_address_ = false;
};

/// Whether the fields show that a page of another site, or of another port of this site, caused the request.
bool is_cross_site(const http::Request&);

/// Whether a field that no page of another site can write says that the user or a page of this site caused the request:
/// Sec-Fetch-Site, Origin, or Referer. Only for requests that are not cross-site. Browsers leave all three out of a GET
/// over plain http when the page that causes it has the referrer policy no-referrer.
bool shows_own_site(const http::Request&);

/// The same for a POST, to which all browsers add Origin: a Referer is not enough.
bool shows_own_site_in_post(const http::Request&);

/// Whether the request is certainly not a browser's: its User-Agent is absent or that of a known command-line program
/// or HTTP library, and it has no field that browsers add. A page cannot remove User-Agent and Accept-Language from the
/// requests that it causes, and cannot choose the first without a preflight, which shows its origin. Other requests may
/// be those of a browser, its media player or an app that shows a preview of a link.
bool is_of_program(const http::Request&);

/// Whether a browser sent the request before its user asked for the page.
bool is_prefetch(const http::Request&);

/// The response with which a listener for operators rejects the request before authentication; nullopt when the request
/// is allowed. 421 for a host that is not one of the listener's, 403 for a request of another site's page, 415 for a
/// write whose content type is not application/json: browsers send such writes to other sites without a preflight
/// (Fetch standard, section 4.9: CORS-safelisted content types).
std::optional<http::Response> refusal_of_site(const http::Request&, const HostNames&);

}  // namespace tribune::runtime
