#pragma once
// Fragmented MP4 (ISO/IEC 14496-12) moved along its time line, so that a loop's next round follows the one before
// without a discontinuity. Pure functions over bytes: they touch times and fragment numbers, never samples.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tribune::balancer {

/// Units a second of each track, by track_ID.
using Timescales = std::map<std::uint32_t, std::uint32_t>;

/// Of an init section. Errors: invalid_input for bytes that are none, or without tracks.
base::Result<Timescales> timescales_of(std::string_view init);

/// How many movie fragments a segment has. Errors: invalid_input for damaged boxes, or none.
base::Result<std::uint32_t> fragments_in(std::string_view segment);

struct FragmentShift {
  std::chrono::milliseconds time{0};  // not negative; the same time for all tracks, so that they stay together
  std::uint32_t fragments = 0;        // added to the fragments' sequence numbers
};

/// The segment at a later time: `tfdt`, `mfhd` and `sidx` are moved on. A `tfdt` of 32 bits becomes one of 64, for the
/// sum needs them; then offsets to the samples follow, and `sidx`, which nobody must have, is left out. Errors:
/// invalid_input for damaged boxes, for a track without timescale or time, and for offsets that cannot follow.
base::Result<std::string> shifted(std::string_view segment, const Timescales&, const FragmentShift&);

}  // namespace tribune::balancer
