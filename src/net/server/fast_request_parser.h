#pragma once
// The head of a request as nearly every player sends it: a GET over HTTP/1.1 without a body, which says nothing of the
// connection but that it is kept. Pure functions over bytes that the RequestFramingValidator approves of.

#include <optional>
#include <string_view>

#include "http/message.h"

namespace tribune::net {

/// Whether the bytes look like one such head, the whole of it and nothing behind it. Worth a closer look then; most of
/// it is not judged yet.
bool looks_like_plain_head(std::string_view bytes);

/// Puts method and fields into `request`, and returns the target. Legal for bytes that look so and that a guard has
/// taken as one complete message. Nothing when the head is not plain after all (another version, or "Connection:
/// close"); `request` is of no use then.
std::optional<std::string_view> read_plain_head(std::string_view head, http::Request& request);

}  // namespace tribune::net
