#pragma once
// Reads and writes small files as a whole: regular files, and pipes that are written within two seconds (`<(command)`
// of a shell).

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tribune::base {

/// Returns at most max_bytes + 1 bytes, so that the caller detects a longer file. Errors: io, whose text is the reason
/// without the path: a folder, no permission, a pipe without a writer for two seconds.
Result<std::string> read_text_file(const std::string& path, std::size_t max_bytes);

/// Writes a file atomically: readers see the old or the new content, and the content survives a power failure. Blocks.
/// Errors: io.
Status replace_file(const std::string& path, std::string_view content);

}  // namespace tribune::base
