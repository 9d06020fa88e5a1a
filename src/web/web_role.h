#pragma once
// The role "web": serves the built viewer page from memory, on the same door as the roles beside it.

#include "runtime/role.h"

namespace tribune::web {

const runtime::RoleType& role_type();

}  // namespace tribune::web
