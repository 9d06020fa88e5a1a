#pragma once
// Parses a plain request head, as nearly every player sends it: a GET over HTTP/1.1 without a body, whose Connection
// field, if any, is keep-alive. Pure functions over bytes that the RequestFramingValidator accepts.

#include <optional>
#include <string_view>

#include "http/message.h"

namespace tribune::net {

/// Whether the bytes look like exactly one such head: they begin with "GET /", and the first empty line ends them. The
/// rest is not checked.
bool looks_like_plain_head(std::string_view bytes);

/// Sets method and fields of `request` and returns the target. Legal for bytes that look like a plain head and that the
/// validator has accepted as one complete message. nullopt when the head is not plain after all (another version, or
/// "Connection: close"); `request` must not be used then.
std::optional<std::string_view> read_plain_head(std::string_view head, http::Request& request);

}  // namespace tribune::net
