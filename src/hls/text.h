#pragma once
// Checks of a playlist's text before parsing: size, encoding and lines (RFC 8216bis section 4.1). Pure functions.

#include <string_view>
#include <vector>

#include "base/result.h"
#include "hls/limits.h"
#include "hls/playlist.h"

namespace tribune::hls {

/// An error in a playlist: fault origin, "line 12: …" (lines count from 1). It may be retried, because another copy may
/// be valid.
tl::unexpected<base::Error> playlist_error(std::size_t line_index, std::string_view what,
                                           base::ErrorKind kind = base::ErrorKind::invalid_input);

/// Rejects texts that are too large, do not begin with #EXTM3U, or have too many lines. Takes one pass of memchr and
/// does not allocate, so that hostile input is cheap to reject.
base::Status check_shape(std::string_view text, const Limits&);

/// The lines with their ends. Rejects lines that are too long.
base::Result<std::vector<Line>> split_lines(std::string_view text, const Limits&);

/// Bytes in a line that section 4.1 forbids.
struct ForbiddenBytes {
  bool control = false;          // a control character other than a tab
  bool carriage_return = false;  // within the line
  bool not_utf8 = false;
};
ForbiddenBytes forbidden_bytes(std::string_view line);

/// The line without control characters other than tabs.
std::string without_controls(std::string_view line);

std::string_view text_of(LineEnd);

}  // namespace tribune::hls
