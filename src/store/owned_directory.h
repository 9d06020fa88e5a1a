#pragma once
// A directory that only one store of one process uses at a time.

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace tribune::store {

/// Creates the directory when absent, and locks the file owner.lock in it until the returned file is closed; the kernel
/// releases the lock of a killed process. Errors: io; conflict when another store uses the directory.
base::Result<std::unique_ptr<base::File>> own_directory(const std::string& directory);

}  // namespace tribune::store
