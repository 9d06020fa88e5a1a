#pragma once
// The target of a request line. Pure functions.

#include <string_view>

#include "http/message.h"

namespace tribune::net {

/// Sets path and query of `request` from a target in origin form, absolute form or asterisk form (RFC 9112 section
/// 3.2). False when the path has no canonical form.
bool set_target(http::Request& request, std::string_view target);

}  // namespace tribune::net
