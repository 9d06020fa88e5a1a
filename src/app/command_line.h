#pragma once
// The command line. CLI11 stays inside command_line.cpp.

namespace tribune::app {

/// Reads the arguments, runs the command that they name and returns the process's exit code.
int run(int argc, const char* const* argv);

}  // namespace tribune::app
