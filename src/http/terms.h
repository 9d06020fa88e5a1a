#pragma once
// What a response tells caches, freed of its other fields: small enough to be kept beside each of a million objects,
// and enough for freshness.h to decide. Pure functions.

#include <chrono>
#include <string>

#include "base/clock.h"
#include "http/freshness.h"

namespace tribune::http {

struct Terms {
  std::string cache_control;      // as sent; Expires stands in it as max-age, Pragma: no-cache as no-cache
  std::string cdn_cache_control;  // as sent, when it is valid (RFC 9213)
  std::chrono::seconds age{0};    // that it had when it arrived
  /// Nothing was said.
  bool empty() const { return cache_control.empty() && cdn_cache_control.empty(); }
  bool operator==(const Terms&) const = default;
};

/// Terms longer than any sane ones read as no-cache. Vary: * too: no later request matches it.
Terms terms_of(const StoredHead&);

/// What a 304 leaves of the terms (RFC 9111 section 3.2): its own, where it has any.
Terms updated(const Terms& stored, const StoredHead& update);

/// A response of these terms that arrived then.
StoredHead head_of(const Terms&, base::WallTime arrived);

}  // namespace tribune::http
