#pragma once
// The role that serves playlists and chooses cache nodes.

#include "runtime/role.h"

namespace tribune::balancer {

const runtime::RoleType& role_type();

}  // namespace tribune::balancer
