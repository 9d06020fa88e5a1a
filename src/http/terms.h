#pragma once
// The caching fields of a response: small enough to be stored with each of a million objects, and sufficient for
// freshness.h. Pure functions.

#include <chrono>
#include <string>

#include "base/clock.h"
#include "http/freshness.h"

namespace tribune::http {

struct Terms {
  std::string cache_control;      // as sent, with Expires as max-age and Pragma: no-cache as no-cache
  std::string cdn_cache_control;  // as sent, when it is valid (RFC 9213)
  std::chrono::seconds age{0};    // at its arrival
  /// The response has no caching fields.
  bool empty() const { return cache_control.empty() && cdn_cache_control.empty(); }
  bool operator==(const Terms&) const = default;
};

/// Overlong terms become no-cache. Vary: * too, because no later request matches it.
Terms terms_of(const StoredHead&);

/// The terms after a 304 (RFC 9111 section 3.2): those of the 304 where it has any.
Terms updated(const Terms& stored, const StoredHead& update);

/// A response with these terms and this time of arrival.
StoredHead head_of(const Terms&, base::WallTime arrived);

}  // namespace tribune::http
