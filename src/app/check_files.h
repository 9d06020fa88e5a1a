#pragma once
// Checks of `tribune check` for the files, folders and keys that a configuration names. They only read, and create
// nothing.

#include <string>
#include <vector>

#include "base/clock.h"
#include "config/settings.h"

namespace tribune::app {

struct Findings {
  std::vector<std::string> errors;    // "key: text": the process would not start or not serve
  std::vector<std::string> warnings;  // "key: text": ended keys, and keys that end soon
};

/// Checks all files and folders that the settings name. Returns no findings when all are usable.
Findings check_named_files(const config::Settings&);

/// Warns about each key that has ended, and when no key signs for longer than a week. Opens no files.
Findings check_keys(const config::Settings&, base::WallTime now);

}  // namespace tribune::app
