#pragma once
// Properties of media: codecs (RFC 6381), picture size and frame rate, from the beginning of an fMP4, MPEG-TS or packed
// audio file. Pure functions; any input is safe, and time and memory are bounded by its size.

#include <string>
#include <string_view>
#include <vector>

namespace tribune::hls {

struct MediaFacts {
  std::vector<std::string> codecs;  // of all tracks, each once; empty when one of them is unknown
  int width = 0;                    // 0: unknown, or no picture
  int height = 0;
  double frame_rate = 0;  // 0: unknown

  bool empty() const { return codecs.empty() && width == 0; }
};

/// `bytes` is an init section followed by the beginning of a segment, or the beginning of a segment that needs none.
/// The result is empty for encrypted, damaged or other data.
MediaFacts media_facts(std::string_view bytes);

}  // namespace tribune::hls
