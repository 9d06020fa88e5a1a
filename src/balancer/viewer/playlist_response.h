#pragma once
// A rendered playlist as the answer to one request: coding, validators, 304. Pure functions.

#include <string>

#include "balancer/sources/source_snapshot.h"
#include "http/message.h"

namespace tribune::balancer {

/// 200, or 304 when the client's copy of the chosen representation is still good. The body is shared, not copied.
http::Response playlist_reply(const http::Headers& request, const Rendered&);

/// The multivariant playlist that names one session: for one client, kept nowhere.
http::Response session_playlist_reply(std::string text);

}  // namespace tribune::balancer
