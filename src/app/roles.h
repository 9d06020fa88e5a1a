#pragma once
// The table of all roles.

#include <vector>

#include "runtime/role.h"

namespace tribune::app {

const std::vector<runtime::RoleType>& role_types();

}  // namespace tribune::app
