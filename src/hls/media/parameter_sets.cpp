#include "hls/media/parameter_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "hls/media/bit_reader.h"

namespace tribune::hls {
namespace {

constexpr int kLargest = 16'384;  // of a picture's sides

void skip_scaling_list(BitReader& in, int size) {
  std::int64_t last = 8, next = 8;
  for (int i = 0; i < size && !in.is_over(); ++i) {
    if (next != 0) next = (last + in.signed_exp_golomb()) & 0xff;
    if (next != 0) last = next;
  }
}

bool set_size(MediaFacts& facts, std::int64_t width, std::int64_t height) {
  if (width <= 0 || height <= 0 || width > kLargest || height > kLargest) return false;
  facts.width = static_cast<int>(width);
  facts.height = static_cast<int>(height);
  return true;
}

/// Reads the chroma format, bit depths and scaling lists of a high-profile set. Returns ChromaArrayType (0: monochrome
/// or separate planes).
std::uint32_t read_avc_chroma(BitReader& in) {
  const auto chroma = in.exp_golomb();
  const bool separate_planes = chroma == 3 && in.bit() != 0;
  in.exp_golomb();
  in.exp_golomb();
  in.skip(1);
  const int lists = in.bit() ? (chroma == 3 ? 12 : 8) : 0;
  for (int i = 0; i < lists; ++i)
    if (in.bit()) skip_scaling_list(in, i < 6 ? 16 : 64);
  return separate_planes ? 0 : chroma;
}

bool is_high_profile(std::uint32_t profile) {
  constexpr std::uint32_t kHigh[] = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244};
  return std::find(std::begin(kHigh), std::end(kHigh), profile) != std::end(kHigh);
}

void skip_avc_order(BitReader& in) {
  const auto order = in.exp_golomb();
  if (order == 0) {
    in.exp_golomb();
  } else if (order == 1) {
    in.skip(1);
    in.signed_exp_golomb();
    in.signed_exp_golomb();
    for (auto left = in.exp_golomb(); left > 0 && !in.is_over(); --left) in.signed_exp_golomb();
  }
}

/// The cropping of the picture, in units.
struct Cropping {
  std::int64_t across = 0, down = 0;
};

Cropping read_cropping(BitReader& in) {
  if (!in.bit()) return {};
  const std::int64_t left = in.exp_golomb(), right = in.exp_golomb(), top = in.exp_golomb(), bottom = in.exp_golomb();
  return {left + right, top + bottom};
}

/// Reads up to the timing (annex E.1.1 of H.264).
void read_avc_usability(BitReader& in, MediaFacts& facts) {
  constexpr unsigned kExtendedAspect = 255;
  if (in.bit() && in.bits(8) == kExtendedAspect) in.skip(32);
  if (in.bit()) in.skip(1);  // overscan
  if (in.bit()) {            // video signal
    in.skip(4);
    if (in.bit()) in.skip(24);
  }
  if (in.bit()) {  // chroma location
    in.exp_golomb();
    in.exp_golomb();
  }
  if (!in.bit()) return;
  const double units = in.bits(32), scale = in.bits(32);
  if (in.is_over() || units <= 0) return;
  const auto rate = scale / units / 2;
  if (rate >= 1 && rate <= 300) facts.frame_rate = rate;
}

}  // namespace

bool add_avc_parameters(std::string_view unit, MediaFacts& facts) {
  if (unit.size() < 5) return false;
  BitReader in(unit.substr(1));
  const auto profile = in.bits(8), constraints = in.bits(8), level = in.bits(8);
  in.exp_golomb();  // the set's id
  const auto chroma = is_high_profile(profile) ? read_avc_chroma(in) : 1;
  in.exp_golomb();  // frame numbers
  skip_avc_order(in);
  in.exp_golomb();  // reference frames
  in.skip(1);
  const std::int64_t columns = std::int64_t{in.exp_golomb()} + 1, rows = std::int64_t{in.exp_golomb()} + 1;
  const auto frames_only = in.bit();
  if (!frames_only) in.skip(1);
  in.skip(1);
  const auto cropping = read_cropping(in);
  const std::int64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1, fields = 2 - std::int64_t{frames_only};
  const std::int64_t unit_y = (chroma == 1 ? 2 : 1) * fields;
  if (in.is_over() ||
      !set_size(facts, columns * 16 - cropping.across * unit_x, rows * 16 * fields - cropping.down * unit_y))
    return false;
  facts.codecs.push_back(fmt::format("avc1.{:02x}{:02x}{:02x}", profile, constraints, level));
  if (in.bit()) read_avc_usability(in, facts);
  return true;
}

bool add_hevc_parameters(std::string_view unit, MediaFacts& facts) {
  constexpr std::size_t kHeader = 2;
  if (unit.size() < kHeader + 14) return false;
  BitReader in(unit.substr(kHeader));
  in.skip(4);
  const auto sub_layers = static_cast<int>(in.bits(3));
  in.skip(1);
  std::string profile;  // 12 bytes: space, tier and profile, compatibility, constraints, level
  for (int i = 0; i < 12; ++i) profile.push_back(static_cast<char>(in.bits(8)));
  std::uint32_t has = 0;
  for (int i = 0; i < sub_layers; ++i) has = has << 2 | in.bits(2);
  if (sub_layers > 0) in.skip(2 * (8 - sub_layers));
  for (int i = sub_layers - 1; i >= 0; --i) {
    if (has >> (2 * i + 1) & 1) in.skip(88);
    if (has >> (2 * i) & 1) in.skip(8);
  }
  in.exp_golomb();
  const auto chroma = in.exp_golomb();
  if (chroma == 3) in.skip(1);
  const std::int64_t width = in.exp_golomb(), height = in.exp_golomb();
  const auto cropping = read_cropping(in);
  const std::int64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1, unit_y = chroma == 1 ? 2 : 1;
  if (in.is_over() || !set_size(facts, width - cropping.across * unit_x, height - cropping.down * unit_y)) return false;
  facts.codecs.push_back(hevc_codec("hvc1", profile));
  return true;
}

std::string hevc_codec(std::string_view prefix, std::string_view ptl) {
  const auto first = byte_at(ptl, 0);
  std::uint32_t compatible = 0;  // in the reverse order of bits
  for (std::size_t i = 0; i < 32; ++i) compatible |= (byte_at(ptl, 1 + i / 8) >> (7 - i % 8) & 1u) << i;
  constexpr std::string_view kSpaces[] = {"", "A", "B", "C"};
  auto codec = fmt::format("{}.{}{}.{:X}.{}{}", prefix, kSpaces[first >> 6], first & 0x1f, compatible,
                           first & 0x20 ? "H" : "L", byte_at(ptl, 11));
  std::size_t last = 11;  // after the last constraint byte that is not 0
  while (last > 5 && byte_at(ptl, last - 1) == 0) --last;
  for (std::size_t i = 5; i < last; ++i) codec += fmt::format(".{:X}", byte_at(ptl, i));
  return codec;
}

}  // namespace tribune::hls
