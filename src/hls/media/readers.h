#pragma once
// The formats that media_facts() reads. Pure functions; any bytes are safe.

#include <string_view>

#include "hls/media/media_facts.h"

namespace tribune::hls {

MediaFacts mp4_facts(std::string_view bytes);
MediaFacts transport_stream_facts(std::string_view bytes);
MediaFacts packed_audio_facts(std::string_view bytes);

/// "mp4a.40.2" from the header of an ADTS frame (ISO/IEC 13818-7 section 6.2); empty without one.
std::string adts_codec(std::string_view frame);

}  // namespace tribune::hls
