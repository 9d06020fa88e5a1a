#pragma once
// The commands of the program. Each takes what the command line gave it and returns the exit code.

#include <chrono>
#include <optional>
#include <string>

#include "app/ctl_command.h"
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

struct CheckOptions {
  std::string config_file;
  bool offline = false;  // on another machine than the one that it is for: opens nothing that the file names
};

/// "OK", or every problem of the file and of what it names, one a line. 0 or 1.
int check(const CheckOptions&);

/// The settings reference, or the sample file of that name.
int reference(const std::string& sample);

/// Whom `tribune ctl` asks, and how it says the answer.
struct CtlOptions {
  std::string admin;  // "http://host:port" or "host:port" of an admin listener; empty: TRIBUNE_ADMIN, or this machine's
  std::string token_file;  // its first line is the token; empty: TRIBUNE_ADMIN_TOKEN
  bool json = false;       // the answer as it came
  std::chrono::milliseconds timeout{10'000};
};

/// 0 when it was done, 1 when it was refused (standard error says why), 3 when nobody answered, 4 when some nodes have
/// not done it.
int ctl(const CtlOptions&, const CtlCommand&, const CtlValues&);

}  // namespace tribune::app
