#pragma once
// Cache-Control as a value (RFC 9111 section 5.2, RFC 5861, RFC 8246). It holds the directives; freshness.h derives the
// consequences. Pure functions.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace tribune::http {

/// Directives of requests and responses alike. Unknown directives are ignored. Of malformed text between commas, such
/// as a directive in quotes or a string without its closing quote, the words no-store, private, no-cache,
/// must-revalidate and proxy-revalidate count as those directives, and everything else is ignored. The first value of a
/// repeated directive with a time counts (section 4.2.1). A time that is missing or not a number counts as zero, so
/// that malformed freshness means stale; a time beyond 2^31 seconds counts as 2^31 (section 1.2.2).
struct CacheControl {
  using Seconds = std::chrono::seconds;

  std::optional<Seconds> max_age;
  std::optional<Seconds> s_maxage;
  std::optional<Seconds> min_fresh;
  std::optional<Seconds> max_stale;  // Seconds::max() for the directive without a value: any age
  std::optional<Seconds> stale_while_revalidate;
  std::optional<Seconds> stale_if_error;

  bool no_cache = false;    // the unqualified form
  bool is_private = false;  // the unqualified form
  bool no_store = false;
  bool no_transform = false;
  bool only_if_cached = false;
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool must_understand = false;
  bool is_public = false;
  bool immutable = false;

  std::vector<std::string> no_cache_fields;  // no-cache="Set-Cookie": lower-case field names
  std::vector<std::string> private_fields;
};

CacheControl parse_cache_control(std::string_view value);
/// Parses all Cache-Control lines of the message together.
CacheControl cache_control_of(const Headers&);

}  // namespace tribune::http
