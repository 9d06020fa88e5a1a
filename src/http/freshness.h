#pragma once
// How long a shared cache may reuse a stored response (RFC 9111 section 4). Pure functions; times are arguments.

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "http/cache_control.h"
#include "http/message.h"

namespace tribune::http {

/// A stored response's head, with the times of its request and its arrival (section 4.2.3).
struct StoredHead {
  int status = 200;
  Headers headers;
  base::WallTime requested;
  base::WallTime received;
};

/// Settings of the operator; the defaults are those of a plain shared cache.
struct FreshnessRules {
  using Seconds = std::chrono::seconds;
  /// A tenth of the time since Last-Modified, at most this, for responses without explicit freshness (section 4.2.2).
  /// Zero: no heuristic freshness, as live media needs it.
  Seconds heuristic_ceiling{24 * 3600};
  /// How long a stale response may be served while the origin fails, when the response does not state it (RFC 5861
  /// section 4).
  Seconds stale_if_error{0};
};

/// The directives that govern a shared cache: a valid CDN-Cache-Control alone, otherwise Cache-Control, with Pragma:
/// no-cache as no-cache where there is no Cache-Control (section 5.4).
struct Governing {
  CacheControl control;
  bool targeted = false;  // from CDN-Cache-Control: Expires is ignored too
  bool explicit_field = false;
};
Governing governing_directives(const Headers& response);

/// The value of Age: the first member, when it is a number (section 5.1), with or without parameters; otherwise zero.
std::chrono::seconds age_of(const Headers&);

/// Section 4.2.3: the larger of the apparent and the corrected age at arrival, plus the time since.
std::chrono::seconds current_age(const StoredHead&, base::WallTime now);

/// Explicit freshness of the response: s-maxage, max-age, Expires less Date, in this order (section 4.2.1).
std::optional<std::chrono::seconds> explicit_lifetime(const StoredHead&);

/// The explicit lifetime, or the heuristic one for a status or a `public` response that allows it; zero otherwise.
std::chrono::seconds freshness_lifetime(const StoredHead&, const FreshnessRules&);

/// Status codes that may be reused without explicit freshness (RFC 9110 section 15.1).
bool is_heuristically_cacheable(int status);

enum class Reuse {
  fresh,                   // answer with it
  stale_while_revalidate,  // answer with it, and validate meanwhile (RFC 5861 section 3)
  validate,                // ask the origin first
};

/// The reuse that a request allows for the stored response: freshness, no-cache in either, max-age, min-fresh and
/// max-stale of the request (section 5.2.1).
Reuse decide_reuse(const StoredHead&, const Headers& request, const FreshnessRules&, base::WallTime now);

/// Whether a stale response may be served when the origin is unreachable or sends 5xx (section 4.2.4).
bool may_serve_for_error(const StoredHead&, const FreshnessRules&, base::WallTime now);

}  // namespace tribune::http
