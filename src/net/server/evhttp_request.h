#pragma once
// Converts a request that evhttp has parsed. Pure functions.

#include <cstddef>

#include "http/message.h"
#include "net/server/persistence.h"

struct evhttp_request;

namespace tribune::net {

/// Method, Host, fields and body; the body is moved out of evhttp's request. Only the first `head_fields` fields are
/// the head's: evhttp appends trailers to them. `persistence` is set from the request's version and Connection fields.
http::Request convert_request(evhttp_request& request, std::size_t head_fields, Persistence& persistence);

}  // namespace tribune::net
