#pragma once
// Lists what a configuration trusts, and from which parties. `tribune check` prints the list; docs/security.md explains
// it. Pure functions.

#include <string>

#include "config/settings.h"

namespace tribune::app {

/// One line for each trusted kind of input. Contains no secrets.
std::string trust_report(const config::Settings&);

}  // namespace tribune::app
