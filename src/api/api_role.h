#pragma once
// The role behind the apps: what can be watched, and which caches are worth pinging. Its line for the table of roles.

#include "runtime/role.h"

namespace tribune::api {

const runtime::RoleType& role_type();

}  // namespace tribune::api
