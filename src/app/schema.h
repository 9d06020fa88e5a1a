#pragma once
// The schema of the configuration: the sections of the process, the section "event", and one section for each role.

#include <string>

#include "base/result.h"
#include "config/settings.h"

namespace tribune::app {

const config::Schema& schema();

/// The text of a configuration file, with the file's name for error messages.
struct ConfigText {
  std::string file;
  std::string text;
};

/// Errors: the file cannot be read, or is longer than 1 MiB.
base::Result<ConfigText> read_config(const std::string& file);

/// The settings, or all problems as "file:line:column: key: text" lines.
tl::expected<config::Settings, std::string> settings_of(const ConfigText&);

}  // namespace tribune::app
