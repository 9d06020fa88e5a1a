#pragma once
// The beginning of a playlist.

#include <cstdint>

#include "hls/playlist.h"

namespace tribune::hls {

/// The segments of a media playlist below this MSN, with what stands before them; parts and the other tags of its
/// moving end go with the rest. The whole playlist when it ends before; at least one segment must stay.
Playlist cut(const Playlist&, std::int64_t end_msn);

}  // namespace tribune::hls
