#pragma once
// Times as text (RFC 3339 section 5.6). Pure functions.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace tribune::base {

/// "2026-06-01T20:00:00.123Z": UTC, cut to the millisecond.
std::string rfc3339(WallTime);

/// "2026-06-01T20:00:00Z", with a fraction or an offset as the RFC allows; cut to the second. nullopt for anything else
/// and for years outside 1970 to 2261, which the wall clock's 64 bits of nanoseconds do not hold.
std::optional<WallTime> parse_rfc3339(std::string_view text);

/// Like parse_rfc3339(), but for any year and cut to the millisecond. Accepts the variants of ISO 8601 that packagers
/// write: a space instead of the T, a comma before the fraction, an offset of "+0100" or "+01", no offset for UTC.
std::optional<std::chrono::sys_time<std::chrono::milliseconds>> parse_iso8601(std::string_view text);

}  // namespace tribune::base
