#pragma once
// Whether a data file can be handed to LMDB. LMDB trusts its file: a page beyond the end is a SIGBUS, a wrong page
// header an assertion. So the tree is walked here first, with every reference checked. Contents of records are not
// judged.

#include <optional>
#include <string>

#include "base/result.h"

namespace tribune::store {

/// What is wrong with the file ("page 17 lies beyond the end of the file"); nothing when it is sound, empty or absent.
/// Errors: io when the file cannot be read. Not for a loop. Costs one read of the tree's pages.
base::Result<std::optional<std::string>> lmdb_file_damage(const std::string& path);

}  // namespace tribune::store
