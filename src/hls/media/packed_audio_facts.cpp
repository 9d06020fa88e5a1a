// Packed audio (RFC 8216bis section 3.1.3): AAC in ADTS frames, after an ID3 tag.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "hls/media/bit_reader.h"
#include "hls/media/readers.h"

namespace tribune::hls {
namespace {

constexpr std::size_t kAdtsHeader = 7;

std::string_view without_tags(std::string_view bytes) {
  constexpr std::size_t kTagHeader = 10;
  while (bytes.starts_with("ID3") && bytes.size() > kTagHeader) {
    std::size_t size = 0;
    for (std::size_t i = 6; i < kTagHeader; ++i) size = size << 7 | (byte_at(bytes, i) & 0x7f);
    bytes.remove_prefix(std::min(bytes.size(), kTagHeader + size));
  }
  return bytes;
}

}  // namespace

std::string adts_codec(std::string_view frame) {
  const bool is_frame = frame.size() >= kAdtsHeader && byte_at(frame, 0) == 0xff && (byte_at(frame, 1) & 0xf6) == 0xf0;
  return is_frame ? fmt::format("mp4a.40.{}", (byte_at(frame, 2) >> 6) + 1) : "";
}

MediaFacts packed_audio_facts(std::string_view bytes) {
  bytes = without_tags(bytes);
  MediaFacts facts;
  const auto codec = adts_codec(bytes);
  if (codec.empty()) return facts;
  // Encrypted bytes may look like one header, but hardly like two equal ones.
  const std::size_t length = (byte_at(bytes, 3) & 0x03) << 11 | byte_at(bytes, 4) << 3 | byte_at(bytes, 5) >> 5;
  if (length < kAdtsHeader || length >= bytes.size() || adts_codec(bytes.substr(length)) != codec) return facts;
  facts.codecs.push_back(codec);
  return facts;
}

}  // namespace tribune::hls
