#pragma once
// Responses to conditional requests for documents that Tribune makes itself.

#include <string_view>

#include "http/message.h"

namespace tribune::http {

/// Decides a GET or HEAD by its preconditions. `response` has the fields of a 304, without a Content-Type, and becomes
/// a 304, or the 412 problem with its ETag and Vary. False: the response goes on with its body.
bool is_decided_by_conditions(const Headers& request, std::string_view etag, Response& response);

}  // namespace tribune::http
