#pragma once
// What `tribune check` finds in what a configuration names: files, folders and keys. Reads only, makes nothing, and
// never waits for long.

#include <string>
#include <vector>

#include "base/clock.h"
#include "config/settings.h"

namespace tribune::app {

struct Findings {
  std::vector<std::string> errors;    // "key: text": the program would not start, or not serve
  std::vector<std::string> warnings;  // what is about to go wrong
};

/// Opens what the settings name. Empty when all is there.
Findings look_at_files(const config::Settings&);

/// Keys that end within a week, and those that have ended. Opens nothing.
Findings look_at_keys(const config::Settings&, base::WallTime now);

}  // namespace tribune::app
