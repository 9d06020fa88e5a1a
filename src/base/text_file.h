#pragma once
// A small file, read or written whole: regular files, and pipes whose writer hurries (`<(command)` of a shell). Never
// waits for long.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tribune::base {

/// At most max_bytes + 1 of its bytes, so that a longer one can be told. Errors: io, whose text is the reason without
/// the path: a folder, no permission, a pipe that nobody wrote to within two seconds.
Result<std::string> read_text_file(const std::string& path, std::size_t max_bytes);

/// Writes a file so that readers see the old or the new content, never a part, and it survives a power cut. Blocks.
/// Errors: io.
Status replace_file(const std::string& path, std::string_view content);

}  // namespace tribune::base
