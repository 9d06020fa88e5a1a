#pragma once
// Decides whether a shared cache may store a response, and updates and invalidates stored responses (RFC 9111 sections
// 3, 4.3 and 4.4). Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "http/freshness.h"
#include "http/message.h"
#include "http/uri.h"

namespace tribune::http {

/// `yes`, or the reason why not, as a token for the log and for Cache-Status.
enum class Storing {
  yes,
  method,    // not GET
  status,    // partial, interim, or not understood although must-understand requires it
  no_store,  // the request or the response forbids it
  private_response,
  authorization,  // section 3.5
  vary_any,       // Vary: * matches no later request
  no_freshness,   // neither explicit freshness, nor a validator, nor a status with a heuristic
};

std::string_view to_string(Storing);

/// Section 3 for a final response to a request with this method and these fields.
Storing decide_storing(Method, const Headers& request, const StoredHead& response, const FreshnessRules&);

/// Whether the field belongs to one connection in every message (RFC 9110 section 7.6.1).
bool is_connection_field(std::string_view name);
/// The message's fields without connection fields, including those that Connection names.
Headers without_connection_fields(const Headers&);
/// The fields of a response that may be stored: no connection fields, none that no-cache="…" or private="…" names
/// (section 5.2.2).
Headers storable_fields(const Headers& response);

/// Section 3.2: the stored fields with those of a 304 (or of a HEAD's 200) in their place, except for fields that
/// describe the stored body: Content-Length, Content-Encoding, Content-Range, Transfer-Encoding, its ETag and digests.
StoredHead freshened(const StoredHead& stored, const StoredHead& update);

/// Section 4.4: the URIs that a successful response to an unsafe method invalidates: the target, and Location and
/// Content-Location where they have the same origin.
std::vector<Uri> invalidated_by(Method, int status, const Uri& target, const Headers& response);

}  // namespace tribune::http
