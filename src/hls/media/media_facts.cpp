#include "hls/media/media_facts.h"

#include <algorithm>

#include "hls/media/readers.h"

namespace tribune::hls {
namespace {

constexpr int kLargestSide = 16'384;

/// Removes repeated codecs, and sizes that players cannot show.
MediaFacts tidy(MediaFacts facts) {
  std::vector<std::string> codecs;
  for (auto& codec : facts.codecs)
    if (std::find(codecs.begin(), codecs.end(), codec) == codecs.end()) codecs.push_back(std::move(codec));
  facts.codecs = std::move(codecs);
  const bool is_size =
      facts.width > 0 && facts.height > 0 && facts.width <= kLargestSide && facts.height <= kLargestSide;
  if (!is_size) facts.width = facts.height = 0;
  return facts;
}

}  // namespace

MediaFacts media_facts(std::string_view bytes) {
  if (bytes.starts_with('\x47')) return tidy(transport_stream_facts(bytes));
  if (bytes.starts_with("ID3") || bytes.starts_with('\xff')) return tidy(packed_audio_facts(bytes));
  return tidy(mp4_facts(bytes));
}

}  // namespace tribune::hls
