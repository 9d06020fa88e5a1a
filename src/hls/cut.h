#pragma once
// Shortens a media playlist to its first segments.

#include <cstdint>

#include "hls/playlist.h"

namespace tribune::hls {

/// Keeps the segments with an MSN below `end_msn` and the tags before them; removes the trailing parts and the other
/// tags of the live edge. Returns the whole playlist when it ends earlier. At least one segment must remain.
Playlist cut(const Playlist&, std::int64_t end_msn);

}  // namespace tribune::hls
