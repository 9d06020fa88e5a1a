#pragma once
// The role "api", which serves the HTTP API of the mobile and web apps: channels, caches, access and session reports.

#include "runtime/role.h"

namespace tribune::api {

const runtime::RoleType& role_type();

}  // namespace tribune::api
