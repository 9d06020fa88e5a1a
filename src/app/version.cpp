#include "app/version.h"

namespace tribune::app {

// The build defines TRIBUNE_VERSION from the project's version and the commit.
std::string_view version() { return TRIBUNE_VERSION; }

}  // namespace tribune::app
