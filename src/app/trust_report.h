#pragma once
// What a configuration trusts, and from whom, in lines for people: `tribune check` prints them, docs/security.md
// explains them. Pure functions.

#include <string>

#include "config/settings.h"

namespace tribune::app {

/// A line for each thing that is believed, ending in a new line. No secret is in it.
std::string trust_report(const config::Settings&);

}  // namespace tribune::app
