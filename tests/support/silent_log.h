#pragma once
// A log that writes nothing, and its settings.

#include "base/log.h"

namespace tribune::test {

inline base::LogSettings silent() {
  base::LogSettings settings;
  settings.level = base::LogLevel::off;
  return settings;
}

inline base::Log& silent_log() {
  static base::Log log(silent());
  return log;
}

}  // namespace tribune::test
