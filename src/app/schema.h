#pragma once
// What a configuration of this program may say: the house's sections, the event's, and one for each role.

#include <string>

#include "base/result.h"
#include "config/settings.h"

namespace tribune::app {

const config::Schema& schema();

/// A configuration file with its name, so that problems can say where they stand.
struct ConfigText {
  std::string file;
  std::string text;
};

/// Errors: the file cannot be read, or is longer than any configuration.
base::Result<ConfigText> read_config(const std::string& file);

/// Settings, or every problem as "file:line:column: key: text" lines.
tl::expected<config::Settings, std::string> settings_of(const ConfigText&);

}  // namespace tribune::app
