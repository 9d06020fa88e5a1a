#pragma once
// Content codings that a client accepts (RFC 9110 section 12.5.3). Pure functions.

#include "http/message.h"

namespace tribune::http {

/// Whether gzip is an acceptable content coding; without the field it is not.
bool accepts_gzip(const Headers& request);

}  // namespace tribune::http
