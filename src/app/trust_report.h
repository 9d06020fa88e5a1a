#pragma once
// Lists the inputs that a configuration trusts, and the parties that may send them. `tribune check` prints the list;
// docs/security.md explains it. Pure functions.

#include <string>

#include "config/settings.h"

namespace tribune::app {

/// One line for each trusted kind of input. Contains no secrets.
std::string trust_report(const config::Settings&);

}  // namespace tribune::app
