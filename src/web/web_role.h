#pragma once
// The role "web": serves the built pages from memory, on the front listener.

#include <string>

#include "runtime/role.h"

namespace tribune::web {

const runtime::RoleType& role_type();

/// The folder of the built page. The settings must have the role's section.
const std::string& folder_of(const config::Settings&);

}  // namespace tribune::web
