#include "app/version.h"

namespace tribune::app {

// TRIBUNE_VERSION is the build's: the project's version and the commit.
std::string_view version() { return TRIBUNE_VERSION; }

}  // namespace tribune::app
