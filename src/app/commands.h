#pragma once
// The commands of the program. Each receives the options of the command line and returns the exit code.

#include <chrono>
#include <optional>
#include <string>

#include "app/ctl_command.h"
#include "base/log.h"

namespace tribune::app {

struct ServeOptions {
  std::string config_file;
  std::optional<base::LogFormat> log_format;  // takes precedence over the file
  std::optional<base::LogLevel> log_level;
};

/// Runs the configured roles until a signal stops the process. Returns 0 after a graceful stop and 1 when it cannot
/// start; a second signal n ends the process with 128 + n.
int serve(const ServeOptions&);

struct CheckOptions {
  std::string config_file;
  bool offline = false;  // does not open the files that the configuration names, for checks on another machine
};

/// Prints "OK", or each problem of the file and of the files that it names on a line of its own. Returns 0 or 1.
int check(const CheckOptions&);

/// Prints the settings reference, or the sample file of that name.
int reference(const std::string& sample);

/// The admin listener that `tribune ctl` calls, and the output format.
struct CtlOptions {
  std::string admin;  // "http://host:port" or "host:port" of an admin listener; empty: TRIBUNE_ADMIN, or this machine's
  std::string token_file;  // its first line is the token; empty: TRIBUNE_ADMIN_TOKEN
  bool json = false;       // prints the response unchanged
  std::chrono::milliseconds timeout{10'000};
};

/// Returns 0 on success, 1 when the command was rejected (the reason is on standard error), 3 when the listener did not
/// respond, 4 when some nodes have not executed it.
int ctl(const CtlOptions&, const CtlCommand&, const CtlValues&);

}  // namespace tribune::app
