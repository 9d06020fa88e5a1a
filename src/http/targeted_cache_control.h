#pragma once
// CDN-Cache-Control, the targeted field for shared caches (RFC 9213): a structured dictionary (RFC 9651) of
// Cache-Control directives that, when valid, governs alone. Pure functions.

#include <optional>
#include <string_view>

#include "http/cache_control.h"

namespace tribune::http {

/// nullopt when the field is not a valid dictionary, is empty, or has a directive of the wrong type: such a field is
/// ignored as a whole (RFC 9213 section 2.1).
std::optional<CacheControl> parse_targeted_cache_control(std::string_view value);

}  // namespace tribune::http
