#pragma once
// What a shared cache may keep, and how what it keeps is freshened or thrown away (RFC 9111 sections 3 and 4.3, 4.4).
// Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "http/freshness.h"
#include "http/message.h"
#include "http/uri.h"

namespace tribune::http {

/// `yes`, or why not: one word for the log and for Cache-Status.
enum class Storing {
  yes,
  method,    // not GET
  status,    // partial, interim, or not understood where that is asked
  no_store,  // the request or the response forbids it
  private_response,
  authorization,  // section 3.5
  vary_any,       // Vary: * matches no later request
  no_freshness,   // neither explicit freshness, nor a validator, nor a status with a heuristic
};

std::string_view to_string(Storing);

/// Section 3 for a final response to a request with this method and these fields.
Storing decide_storing(Method, const Headers& request, const StoredHead& response, const FreshnessRules&);

/// Fields that belong to one connection: those of RFC 9110 section 7.6.1 and those that Connection names.
bool is_connection_field(const Headers& message, std::string_view name);
/// The message's fields without those.
Headers without_connection_fields(const Headers&);
/// What may be kept of a response: no connection fields, none that no-cache="…" or private="…" names (section 5.2.2).
Headers storable_fields(const Headers& response);

/// Section 3.2: the stored fields with those of a 304 (or of a HEAD's 200) in their place, but for what describes the
/// stored body itself: Content-Length, Content-Encoding, Content-Range, Transfer-Encoding, its ETag and digests.
StoredHead freshened(const StoredHead& stored, const StoredHead& update);

/// Section 4.4: what a successful answer to an unsafe method makes invalid: the target, and Location and
/// Content-Location where they have the same origin.
std::vector<Uri> invalidated_by(Method, int status, const Uri& target, const Headers& response);

}  // namespace tribune::http
