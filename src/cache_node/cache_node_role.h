#pragma once
// The role that serves objects and fetches each one once: its entry in the table of roles.

#include "runtime/role.h"

namespace tribune::cache_node {

const runtime::RoleType& role_type();

}  // namespace tribune::cache_node
