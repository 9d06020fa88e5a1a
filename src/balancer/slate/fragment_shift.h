#pragma once
// Shifts fragmented MP4 (ISO/IEC 14496-12) in time, so that the next round of a loop follows the previous one without a
// discontinuity. Pure functions over bytes: they change times and fragment numbers, never samples.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tribune::balancer {

/// Units per second of each track, by track_ID.
using Timescales = std::map<std::uint32_t, std::uint32_t>;

/// The timescales of an init section. Errors: invalid_input for bytes that are no init section, or without tracks.
base::Result<Timescales> timescales_of(std::string_view init);

/// The number of movie fragments of a segment. Errors: invalid_input for damaged boxes, or no fragment.
base::Result<std::uint32_t> fragments_in(std::string_view segment);

struct FragmentShift {
  std::chrono::milliseconds time{0};  // not negative; equal for all tracks, which keeps them in sync
  std::uint32_t fragments = 0;        // added to the fragments' sequence numbers
};

/// The segment shifted in time: `tfdt`, `mfhd` and `sidx` change. A 32-bit `tfdt` becomes a 64-bit one, because the sum
/// needs it; then the offsets of the samples are adjusted, and the optional `sidx` is removed. Errors: invalid_input
/// for damaged boxes, for a track without timescale or time, and for offsets that cannot be adjusted.
base::Result<std::string> shifted(std::string_view segment, const Timescales&, const FragmentShift&);

}  // namespace tribune::balancer
