// Any bytes as the beginning of a media file: parsing ends, and its results are valid in an attribute list.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hls/media/media_facts.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto facts = tribune::hls::media_facts(std::string_view(reinterpret_cast<const char*>(data), size));
  for (const auto& codec : facts.codecs)
    require(!codec.empty() && codec.size() < 64 && codec.find_first_of("\",\n\r =") == std::string::npos);
  require(facts.codecs.size() <= 32);
  require(facts.width >= 0 && facts.width <= 16'384 && facts.height >= 0 && facts.height <= 16'384);
  require(facts.frame_rate == 0 || (facts.frame_rate >= 1 && facts.frame_rate <= 300));
  return 0;
}
