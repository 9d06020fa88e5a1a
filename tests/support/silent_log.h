#pragma once
// The settings of a log that writes nothing.

#include "base/log.h"

namespace tribune::test {

inline base::LogSettings silent() {
  base::LogSettings settings;
  settings.level = base::LogLevel::off;
  return settings;
}

}  // namespace tribune::test
