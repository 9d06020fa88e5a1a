#pragma once
// The commands of the program. Each takes what the command line gave it and returns the exit code.

#include <optional>
#include <string>

#include "base/log.h"

namespace tribune::app {

struct ServeOptions {
  std::string config_file;
  std::optional<base::LogFormat> log_format;  // wins over the file
  std::optional<base::LogLevel> log_level;
};

/// Runs the roles that the file names until a signal ends it. 0 after a graceful stop, 1 when it cannot start, 128 + n
/// after a second signal n.
int serve(const ServeOptions&);

/// "OK", or every problem of the file, one a line. 0 or 1.
int check(const std::string& config_file);

/// The settings reference, or the sample file of that name.
int reference(const std::string& sample);

}  // namespace tribune::app
