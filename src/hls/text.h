#pragma once
// The text of a playlist before it means anything: size, encoding and lines (RFC 8216bis section 4.1). Pure functions.

#include <string_view>
#include <vector>

#include "base/result.h"
#include "hls/limits.h"
#include "hls/playlist.h"

namespace tribune::hls {

/// An error in a playlist: fault origin, "line 12: …" (lines count from 1). Another copy may be good, so it may be
/// retried.
tl::unexpected<base::Error> playlist_error(std::size_t line_index, std::string_view what,
                                           base::ErrorKind kind = base::ErrorKind::invalid_input);

/// Refuses what no playlist may be: too large, not beginning with #EXTM3U, too many lines.
/// Costs one pass of memchr, so that a hostile body is refused before anything is allocated for it.
base::Status check_shape(std::string_view text, const Limits&);

/// The lines with their ends. Refuses lines that are too long.
base::Result<std::vector<Line>> split_lines(std::string_view text, const Limits&);

/// What section 4.1 forbids in a line.
struct ForbiddenBytes {
  bool control = false;          // a control character other than a tab
  bool carriage_return = false;  // within the line
  bool not_utf8 = false;
};
ForbiddenBytes forbidden_bytes(std::string_view line);

/// The line without control characters other than tabs.
std::string without_controls(std::string_view line);

std::string_view text_of(LineEnd);

/// Without spaces and tabs at both ends.
std::string_view trimmed(std::string_view);

}  // namespace tribune::hls
