#pragma once
// Files with secrets that a configuration names.

#include <cstddef>
#include <string>

#include "base/result.h"

namespace tribune::contracts {

/// The content of the file without one line end at its end. A relative path is looked up in the directory that
/// $CREDENTIALS_DIRECTORY names (systemd's LoadCredential), or else in the working directory. Returns more than
/// `max_bytes` when the file is longer, so that the caller detects it. Errors: io, with the path.
base::Result<std::string> read_secret_file(const std::string& file, std::size_t max_bytes);

}  // namespace tribune::contracts
