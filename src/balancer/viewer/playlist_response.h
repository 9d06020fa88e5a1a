#pragma once
// The response with a rendered playlist: content coding, validators, 304. Pure functions.

#include <string>
#include <string_view>

#include "balancer/sources/source_snapshot.h"
#include "http/message.h"

namespace tribune::balancer {

/// 200, or 304 when the client has the chosen representation. The body is shared, not copied.
http::Response playlist_reply(const http::Headers& request, const Rendered&);

/// The media playlist up to its last segment, with EXT-X-ENDLIST: without hints, parts and tags of a segment to come.
std::string ended_text(std::string_view media_playlist);

/// The playlist of one session, which no cache may store.
http::Response session_playlist_reply(std::string text);

}  // namespace tribune::balancer
