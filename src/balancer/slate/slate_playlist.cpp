#include "balancer/slate/slate_playlist.h"

#include <fmt/format.h>

#include <algorithm>

#include "contracts/canonical.h"
#include "hls/playlist.h"

namespace tribune::balancer {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kFirstSlot{1'704'067'200};  // 2024-01-01T00:00:00Z

std::int64_t target_duration_of(milliseconds duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

std::int64_t target_of(const Slate& slate) {
  auto longest = slate.slot();
  for (const auto& rendition : slate.renditions())
    for (const auto& segment : rendition.segments) longest = std::max(longest, segment.duration - milliseconds{500});
  return target_duration_of(longest);
}

/// The discontinuity sequence of a slot: the number of the round for a repeating loop, `alone` for a continuous one.
std::int64_t discontinuity_of(const Slate& slate, std::int64_t slot, std::int64_t alone) {
  return slate.is_continuous() ? alone : slot / slate.loop();
}

bool begins_anew(const Slate& slate, std::int64_t slot) { return !slate.is_continuous() && slot % slate.loop() == 0; }

std::string slots_text(const Slate& slate, const SlateRendition& rendition, std::int64_t first, std::int64_t end,
                       std::int64_t alone = 0) {
  std::string text = fmt::format(
      "#EXTM3U\n#EXT-X-VERSION:{}\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}"
      "\n#EXT-X-INDEPENDENT-SEGMENTS\n",
      rendition.init.empty() ? 6 : 7, target_of(slate), first,
      discontinuity_of(slate, begins_anew(slate, first) ? first - 1 : first, alone));
  const auto map =
      rendition.init.empty() ? "" : fmt::format("#EXT-X-MAP:URI=\"{}{}\"\n", slate.base_path(), rendition.init);
  if (!begins_anew(slate, first)) text += map;
  for (auto slot = first; slot < end; ++slot) {
    const auto duration = rendition.segment_of(slot).duration;
    if (begins_anew(slate, slot)) text.append("#EXT-X-DISCONTINUITY\n").append(map);
    text += fmt::format("#EXTINF:{:.3f},\n{}\n", static_cast<double>(duration.count()) / 1000,
                        slate.path_in(slot, rendition));
  }
  return text;
}

/// A slot without rendition: the text before the programme when no slate segment can be listed.
std::string one_slot_text(std::int64_t slot, std::int64_t discontinuity) {
  return fmt::format(
      "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}\n#EXTINF:1,\n-\n",
      slot, discontinuity);
}

/// The additional length when the keys and init sections in force are written before each segment.
std::uint64_t restated_bytes(std::string_view text, std::uint64_t lines) {
  constexpr std::uint64_t kMostRestatedBytes = 64ull << 20;
  constexpr std::uint64_t kLongestIv = 64;
  std::uint64_t longest = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const auto line = text.substr(begin, end - begin);
    if (line.starts_with("#EXT-X-KEY:") || line.starts_with("#EXT-X-MAP:"))
      longest = std::max<std::uint64_t>(longest, line.size() + kLongestIv);
    begin = end + 1;
  }
  return std::min(lines * longest, kMostRestatedBytes);
}

/// A text that this balancer made is subject to the source's limits except for its length: its links and restated tags
/// are longer than the source's.
hls::Limits limits_for(std::string_view text, hls::Limits limits) {
  constexpr std::uint64_t kMostSlateBytes = 64 * 1024;
  const auto lines = static_cast<std::int64_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  limits.max_bytes = std::max<std::uint64_t>(limits.max_bytes, 2 * text.size() + kMostSlateBytes);
  limits.max_line_bytes = std::max<std::uint64_t>(limits.max_line_bytes, limits.max_bytes);
  const auto rewritten = 2 * text.size() + restated_bytes(text, static_cast<std::uint64_t>(lines)) + kMostSlateBytes;
  limits.max_rewritten_bytes = std::max<std::uint64_t>(limits.max_rewritten_bytes, rewritten);
  limits.max_lines = std::max(limits.max_lines, 2 * lines + kSlateWindow * 8);
  return limits;
}

base::Result<std::string> joined_text(std::string_view before, std::int64_t first, const hls::Playlist& programme,
                                      const SlateTransition& transition, const hls::Limits& limits) {
  auto slate = hls::parse(before);
  if (!slate) return tl::unexpected(slate.error());
  const hls::Joint joint{transition.msn_shift(), transition.discontinuity - transition.programme_discontinuity, 1};
  const auto joined = hls::join(*slate, first, programme, joint, limits);
  if (!joined) return tl::unexpected(joined.error());
  return hls::write(*joined, {});
}

}  // namespace

std::int64_t slot_at(milliseconds slot, base::WallTime now) {
  return std::max<std::int64_t>(1, (std::chrono::floor<milliseconds>(now).time_since_epoch() - kFirstSlot) / slot);
}

base::WallTime begin_of_slot(milliseconds slot, std::int64_t number) {
  return base::WallTime{kFirstSlot + number * slot};
}

std::string slate_text(const Slate& slate, const SlateRendition& rendition, std::int64_t end) {
  return slots_text(slate, rendition, std::max<std::int64_t>(1, end - kSlateWindow), end);
}

base::Result<SlateTransition> transition_at(const Slate& slate, std::int64_t now, std::string_view text,
                                            const hls::Limits& limits) {
  const auto programme = hls::parse(text, {limits_for(text, limits), {}, {}});
  if (!programme) return tl::unexpected(programme.error());
  if (programme->segments.empty())
    return base::failure(base::ErrorKind::unavailable, base::Fault::origin,
                         "the playlist of the programme has no segments");
  const auto& newest = programme->segments.back();
  SlateTransition transition;
  transition.slot = now + 1;
  transition.msn = newest.msn;
  transition.discontinuity = discontinuity_of(slate, now, 0) + 1;
  transition.programme_discontinuity = newest.discontinuity_sequence;
  return transition;
}

base::Result<std::string> text_after_transition(const Slate* slate, const SlateRendition* rendition,
                                                const SlateTransition& transition, std::string_view text,
                                                const hls::Limits& channel) {
  const auto limits = limits_for(text, channel);
  const auto programme = hls::parse(text, {limits, {}, {}});
  if (!programme) return tl::unexpected(programme.error());
  const auto shown = programme->end_msn() - transition.msn;
  // This rendition is behind the one by which the transition was fixed.
  if (shown <= 0 && rendition)
    return slots_text(*slate, *rendition, std::max<std::int64_t>(1, transition.slot - kSlateWindow), transition.slot,
                      transition.discontinuity - 1);
  if (shown <= 0)
    return base::failure(base::ErrorKind::unavailable, base::Fault::origin, "this rendition is older than the others",
                         true);
  const auto first = std::min(transition.slot, transition.slot - kSlateWindow + shown);
  if (rendition && first < transition.slot && programme->media_sequence <= transition.msn) {
    auto both = joined_text(
        slots_text(*slate, *rendition, std::max<std::int64_t>(1, first), transition.slot, transition.discontinuity - 1),
        first, *programme, transition, limits);
    if (both) return both;
  }
  return joined_text(one_slot_text(transition.slot - 1, transition.discontinuity - 1), transition.slot, *programme,
                     transition, limits);
}

std::string query_after_transition(std::string_view query, const SlateTransition& transition) {
  constexpr std::string_view kMsn = "_HLS_msn=";
  std::string out;
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (!out.empty()) out += '&';
    const auto requested = pair.starts_with(kMsn) ? contracts::read_decimal(pair.substr(kMsn.size())) : std::nullopt;
    if (requested)
      out.append(kMsn).append(std::to_string(std::max<std::int64_t>(0, *requested - transition.msn_shift())));
    else
      out += pair;
  }
  return out;
}

}  // namespace tribune::balancer
