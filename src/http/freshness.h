#pragma once
// How long a shared cache may answer with what it holds (RFC 9111 section 4). Pure functions; times come as arguments.

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "http/cache_control.h"
#include "http/message.h"

namespace tribune::http {

/// A response's head as a cache keeps it, and when it was asked for and received (section 4.2.3).
struct StoredHead {
  int status = 200;
  Headers headers;
  base::WallTime requested;
  base::WallTime received;
};

/// What an operator may choose; the defaults are those of a plain shared cache.
struct FreshnessRules {
  using Seconds = std::chrono::seconds;
  /// A tenth of the time since Last-Modified, at most this, where nothing explicit is said (section 4.2.2). Zero:
  /// never; right for live media, where a guess would outlive the segment.
  Seconds heuristic_ceiling{24 * 3600};
  /// How long a stale response may answer for an origin that fails, when the response does not say (RFC 5861 section
  /// 4).
  Seconds stale_if_error{0};
};

/// The directives that govern a shared cache: a valid CDN-Cache-Control alone, otherwise Cache-Control, with Pragma:
/// no-cache standing for no-cache where there is no Cache-Control (section 5.4).
struct Governing {
  CacheControl control;
  bool targeted = false;  // from CDN-Cache-Control: Expires does not count either
  bool explicit_field = false;
};
Governing governing_directives(const Headers& response);

/// The value of Age: the first member, when it is a number (section 5.1), parameters or not; zero otherwise.
std::chrono::seconds age_of(const Headers&);

/// Section 4.2.3: the larger of the apparent and the corrected age at arrival, plus the time since.
std::chrono::seconds current_age(const StoredHead&, base::WallTime now);

/// Freshness that the response states itself: s-maxage, max-age, Expires less Date, in this order (section 4.2.1).
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

/// What a request allows with the stored response: freshness, no-cache in either, max-age, min-fresh and max-stale of
/// the request (section 5.2.1).
Reuse decide_reuse(const StoredHead&, const Headers& request, const FreshnessRules&, base::WallTime now);

/// Whether a stale response may stand in for an origin that cannot be reached or answers 5xx (section 4.2.4).
bool may_serve_for_error(const StoredHead&, const FreshnessRules&, base::WallTime now);

}  // namespace tribune::http
