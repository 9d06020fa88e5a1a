#pragma once
// Which content codings a client takes (RFC 9110 section 12.5.3). Pure functions.

#include "http/message.h"

namespace tribune::http {

/// Whether gzip is an acceptable content coding; an absent field asks for plain bytes here.
bool accepts_gzip(const Headers& request);

}  // namespace tribune::http
