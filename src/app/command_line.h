#pragma once
// The command line. Only command_line.cpp includes CLI11.

namespace tribune::app {

/// Reads the arguments, runs the command that they name and returns the process's exit code.
int run(int argc, const char* const* argv);

}  // namespace tribune::app
