#pragma once
// Cuts a playlist to its beginning.

#include <cstdint>

#include "hls/playlist.h"

namespace tribune::hls {

/// The segments of a media playlist below this MSN, with the tags before them, without parts and the other tags of its
/// live edge. The whole playlist when it ends before; at least one segment must remain.
Playlist cut(const Playlist&, std::int64_t end_msn);

}  // namespace tribune::hls
