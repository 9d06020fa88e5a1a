#pragma once
// The role "http_cache", a plain HTTP cache in front of one origin: its entry in the table of roles.

#include "runtime/role.h"

namespace tribune::http_cache {

const runtime::RoleType& role_type();

}  // namespace tribune::http_cache
