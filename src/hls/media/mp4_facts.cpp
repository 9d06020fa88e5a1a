// ISO base media files (ISO/IEC 14496-12, -15): the tracks of a movie box, and the first fragment after it.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "hls/media/media_facts.h"
#include "hls/media/parameter_sets.h"
#include "hls/media/readers.h"

namespace tribune::hls {
namespace {

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = value << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0);
  return value;
}

std::string_view from(std::string_view bytes, std::size_t at) { return bytes.substr(std::min(at, bytes.size())); }

struct Mp4Box {
  std::string_view type;
  std::string_view body;
};

/// Takes the first box off `bytes`; a truncated box ends with the bytes.
std::optional<Mp4Box> next_box(std::string_view& bytes) {
  if (bytes.size() < 8) return std::nullopt;
  auto size = number(bytes, 0, 4);
  std::size_t head = 8;
  if (size == 1) {
    if (bytes.size() < 16) return std::nullopt;
    size = number(bytes, 8, 8);
    head = 16;
  }
  if (size == 0) size = bytes.size();
  if (size < head) return std::nullopt;
  const auto whole = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(size, bytes.size())));
  bytes.remove_prefix(whole.size());
  return Mp4Box{whole.substr(4, 4), whole.substr(std::min(head, whole.size()))};
}

/// The body of the first box of that type; empty without one.
std::string_view child(std::string_view body, std::string_view type) {
  while (const auto box = next_box(body))
    if (box->type == type) return box->body;
  return {};
}

struct Track {
  std::uint32_t timescale = 0;
  std::uint32_t default_duration = 0;
  bool is_picture = false;
};

struct Movie {
  MediaFacts facts;
  bool is_understood = true;
  std::map<std::uint32_t, Track> tracks;  // by id
};

/// The length of a descriptor of MPEG-4 systems; it is taken off `bytes`.
std::size_t descriptor_size(std::string_view& bytes) {
  std::size_t size = 0;
  for (int i = 0; i < 4 && !bytes.empty(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    size = size << 7 | (byte & 0x7f);
    if (byte < 0x80) break;
  }
  return size;
}

/// "mp4a.40.2" from an esds box.
std::string audio_codec(std::string_view esds) {
  esds = from(esds, 4);
  if (esds.empty() || esds.front() != 3) return "";
  esds.remove_prefix(1);
  descriptor_size(esds);
  const auto flags = number(esds, 2, 1);
  esds = from(esds, 3 + (flags & 0x80 ? 2 : 0) + (flags & 0x20 ? 2 : 0));
  if (esds.empty() || esds.front() != 4) return "";
  esds.remove_prefix(1);
  descriptor_size(esds);
  const auto object = number(esds, 0, 1);
  esds = from(esds, 13);
  if (object != 0x40) return object == 0x6b || object == 0x69 ? fmt::format("mp4a.{:02x}", object) : "";
  if (esds.empty() || esds.front() != 5) return "";
  esds.remove_prefix(1);
  descriptor_size(esds);
  auto kind = number(esds, 0, 1) >> 3;
  if (kind == 31) kind = 32 + ((number(esds, 0, 2) >> 5) & 0x3f);
  return kind == 0 ? "" : fmt::format("mp4a.40.{}", kind);
}

/// "av01.0.04M.08" from an av1C box.
std::string av1_codec(std::string_view config) {
  if (config.size() < 4) return "";
  const auto level = number(config, 1, 1), more = number(config, 2, 1);
  const int depth = more & 0x40 ? (level >> 5 == 2 && more & 0x20 ? 12 : 10) : 8;
  return fmt::format("av01.{}.{:02}{}.{:02}", level >> 5, level & 0x1f, more & 0x80 ? "H" : "M", depth);
}

/// "vp09.00.31.08" from a vpcC box.
std::string vp9_codec(std::string_view config) {
  return config.size() < 7 ? ""
                           : fmt::format("vp09.{:02}.{:02}.{:02}", number(config, 4, 1), number(config, 5, 1),
                                         number(config, 6, 1) >> 4);
}

/// The codec of a sample entry; empty when it is unknown.
std::string codec_of(std::string_view type, std::string_view boxes) {
  if (type == "encv" || type == "enca") {
    const auto original = child(child(boxes, "sinf"), "frma").substr(0, 4);
    return original.empty() || original == "encv" || original == "enca" ? "" : codec_of(original, boxes);
  }
  if (type == "avc1" || type == "avc3") {
    const auto config = child(boxes, "avcC");
    return config.size() < 4 ? ""
                             : fmt::format("{}.{:02x}{:02x}{:02x}", type, number(config, 1, 1), number(config, 2, 1),
                                           number(config, 3, 1));
  }
  if (type == "hvc1" || type == "hev1") {
    const auto config = child(boxes, "hvcC");
    return config.size() < 13 ? "" : hevc_codec(type, config.substr(1, 12));
  }
  if (type == "av01") return av1_codec(child(boxes, "av1C"));
  if (type == "vp09") return vp9_codec(child(boxes, "vpcC"));
  if (type == "mp4a") return audio_codec(child(boxes, "esds"));
  if (type == "ac-3" || type == "ec-3") return std::string(type);
  if (type == "Opus") return "opus";
  if (type == "fLaC") return "fLaC";
  return "";
}

void read_track(std::string_view trak, Movie& movie) {
  constexpr std::size_t kVisualEntry = 78, kAudioEntry = 28;  // the fields before an entry's own boxes
  const auto mdia = child(trak, "mdia");
  const auto handler = from(child(mdia, "hdlr"), 8).substr(0, 4);
  const auto tkhd = child(trak, "tkhd"), mdhd = child(mdia, "mdhd");
  const auto id = static_cast<std::uint32_t>(number(tkhd, number(tkhd, 0, 1) == 1 ? 20 : 12, 4));
  auto& track = movie.tracks[id];
  track.timescale = static_cast<std::uint32_t>(number(mdhd, number(mdhd, 0, 1) == 1 ? 20 : 12, 4));
  track.is_picture = handler == "vide";
  if (handler != "vide" && handler != "soun") return;
  auto entries = from(child(child(child(mdia, "minf"), "stbl"), "stsd"), 8);
  const auto entry = next_box(entries);
  const auto codec =
      entry ? codec_of(entry->type, from(entry->body, track.is_picture ? kVisualEntry : kAudioEntry)) : "";
  if (codec.empty()) {
    movie.is_understood = false;
  } else {
    movie.facts.codecs.push_back(codec);
  }
  if (!entry || !track.is_picture || movie.facts.width != 0) return;
  movie.facts.width = static_cast<int>(number(entry->body, 24, 2));
  movie.facts.height = static_cast<int>(number(entry->body, 26, 2));
}

void read_movie(std::string_view moov, Movie& movie) {
  constexpr int kMostTracks = 32;
  int tracks = 0;
  for (auto rest = moov; const auto box = next_box(rest);)
    if (box->type == "trak" && ++tracks <= kMostTracks) read_track(box->body, movie);
  for (auto rest = child(moov, "mvex"); const auto box = next_box(rest);) {
    if (box->type != "trex") continue;
    if (const auto track = movie.tracks.find(static_cast<std::uint32_t>(number(box->body, 4, 4)));
        track != movie.tracks.end())
      track->second.default_duration = static_cast<std::uint32_t>(number(box->body, 12, 4));
  }
}

/// The mean duration of a fragment's samples, in the track's timescale; 0: unknown. Samples far from
/// the median are left out: packagers stretch the first or the last one of a fragment.
double sample_duration(std::string_view traf, const Track& track) {
  constexpr std::uint32_t kBaseOffset = 0x1, kDescription = 0x2, kDuration = 0x8;  // of tfhd
  constexpr std::uint32_t kDataOffset = 0x1, kFirstFlags = 0x4, kDurations = 0x100, kSizes = 0x200, kFlags = 0x400,
                          kOffsets = 0x800;  // of trun
  const auto tfhd = child(traf, "tfhd"), trun = child(traf, "trun");
  const auto run = static_cast<std::uint32_t>(number(trun, 1, 3));
  if (!(run & kDurations)) {
    const auto flags = static_cast<std::uint32_t>(number(tfhd, 1, 3));
    const std::size_t at = 8 + (flags & kBaseOffset ? 8 : 0) + (flags & kDescription ? 4 : 0);
    return flags & kDuration ? static_cast<double>(number(tfhd, at, 4)) : track.default_duration;
  }
  const auto samples = from(trun, 8 + (run & kDataOffset ? 4 : 0) + (run & kFirstFlags ? 4 : 0));
  const std::size_t each = 4 + (run & kSizes ? 4 : 0) + (run & kFlags ? 4 : 0) + (run & kOffsets ? 4 : 0);
  const auto count = std::min<std::uint64_t>(number(trun, 4, 4), samples.size() / each);
  std::vector<double> lasts;
  for (std::uint64_t i = 0; i < count; ++i)
    lasts.push_back(static_cast<double>(number(samples, static_cast<std::size_t>(i) * each, 4)));
  if (lasts.empty()) return 0;
  const auto middle = lasts.begin() + static_cast<std::ptrdiff_t>(lasts.size() / 2);
  std::nth_element(lasts.begin(), middle, lasts.end());
  const auto median = *middle;
  double sum = 0, usual = 0;
  for (const auto duration : lasts) {
    if (duration < median * 0.9 || duration > median * 1.1) continue;
    sum += duration;
    ++usual;
  }
  return sum / usual;
}

void read_fragment(std::string_view moof, Movie& movie) {
  for (auto rest = moof; const auto box = next_box(rest);) {
    if (box->type != "traf") continue;
    const auto found = movie.tracks.find(static_cast<std::uint32_t>(number(child(box->body, "tfhd"), 4, 4)));
    if (found == movie.tracks.end() || !found->second.is_picture || found->second.timescale == 0) continue;
    const auto lasts = sample_duration(box->body, found->second);
    if (lasts <= 0) continue;
    const auto rate = found->second.timescale / lasts;
    if (rate >= 1 && rate <= 300) movie.facts.frame_rate = rate;
    return;
  }
}

}  // namespace

MediaFacts mp4_facts(std::string_view bytes) {
  Movie movie;
  while (const auto box = next_box(bytes)) {
    if (box->type == "moov" && movie.tracks.empty()) read_movie(box->body, movie);
    if (box->type != "moof") continue;
    read_fragment(box->body, movie);
    break;
  }
  if (!movie.is_understood) movie.facts.codecs.clear();
  return movie.facts;
}

}  // namespace tribune::hls
