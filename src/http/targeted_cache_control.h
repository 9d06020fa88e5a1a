#pragma once
// CDN-Cache-Control, the targeted field for shared caches (RFC 9213): a structured dictionary (RFC 9651) of
// Cache-Control directives that, when valid, governs alone. Pure functions.

#include <optional>
#include <string_view>

#include "http/cache_control.h"

namespace tribune::http {

/// Nothing when the field is not a valid dictionary, is empty, or gives a directive of the wrong type: the field is
/// then ignored whole (RFC 9213 section 2.1).
std::optional<CacheControl> parse_targeted_cache_control(std::string_view value);

}  // namespace tribune::http
