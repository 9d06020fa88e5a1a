#pragma once
// Checks a data file before LMDB opens it. LMDB trusts its file: a page beyond the end raises SIGBUS, a wrong page
// header an assertion. The check walks the tree and validates every reference. It does not validate the contents of
// records.

#include <optional>
#include <string>

#include "base/result.h"

namespace tribune::store {

/// The damage ("page 17 is beyond the end of the file"); nullopt when the file is sound, empty or absent. Errors: io
/// when the file cannot be read. Reads all pages of the tree and blocks: do not call it on an event loop.
base::Result<std::optional<std::string>> lmdb_file_damage(const std::string& path);

}  // namespace tribune::store
