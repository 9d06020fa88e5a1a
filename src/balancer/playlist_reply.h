#pragma once
// A rendered playlist as the answer to one request: coding, validators, 304. Pure functions.

#include <string>

#include "balancer/source_snapshot.h"
#include "http/message.h"

namespace tribune::balancer {

/// Whether gzip is an acceptable content coding (RFC 9110 section 12.5.3); an absent field asks for plain bytes here.
bool accepts_gzip(const http::Headers& request);

/// 200, or 304 when the client's copy of the chosen representation is still good. The body is shared, not copied.
http::Response playlist_reply(const http::Headers& request, const Rendered&);

/// The multivariant playlist that names one session: for one client, kept nowhere.
http::Response session_playlist_reply(std::string text);

}  // namespace tribune::balancer
