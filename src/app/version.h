#pragma once
// The version of the program, for --version, /status and heartbeats.

#include <string_view>

namespace tribune::app {

/// "1.2.3", or "1.2.3+commit" when it was built in a Git repository.
std::string_view version();

}  // namespace tribune::app
