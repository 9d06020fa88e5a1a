#pragma once
// Sequence parameter sets of H.264 and H.265. Pure functions; any bytes are safe.

#include <string>
#include <string_view>

#include "hls/media/media_facts.h"

namespace tribune::hls {

/// A NAL unit with its header. False when it is not a readable parameter set; then nothing is added.
bool add_avc_parameters(std::string_view unit, MediaFacts&);
bool add_hevc_parameters(std::string_view unit, MediaFacts&);

/// "hvc1.1.6.L93.B0" for profile_tier_level's first 12 bytes, as hvcC and a parameter set have them.
std::string hevc_codec(std::string_view prefix, std::string_view profile_tier_level);

}  // namespace tribune::hls
