#pragma once
// The table of roles: what a process can be.

#include <vector>

#include "runtime/role.h"

namespace tribune::app {

const std::vector<runtime::RoleType>& role_types();

}  // namespace tribune::app
