#pragma once
// What a piece of media says of itself: codecs (RFC 6381), picture size and frame rate, out of the beginning of an
// fMP4, MPEG-TS or packed audio file. Pure functions; any bytes are safe, and the work and the memory are bounded by
// their number.

#include <string>
#include <string_view>
#include <vector>

namespace tribune::hls {

struct MediaFacts {
  std::vector<std::string> codecs;  // of all tracks, each once; none when one of them is not understood
  int width = 0;                    // 0: not known, or no picture
  int height = 0;
  double frame_rate = 0;  // 0: not known

  bool empty() const { return codecs.empty() && width == 0; }
};

/// `bytes` is an init section with the beginning of a segment behind it, or the beginning of a segment that needs none.
/// Empty: encrypted, damaged, or of another kind.
MediaFacts media_facts(std::string_view bytes);

}  // namespace tribune::hls
