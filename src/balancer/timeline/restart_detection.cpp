// Classifies a refresh: the same timeline, an older copy of it, or another one.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "balancer/timeline/timeline.h"
#include "base/hash.h"
#include "base/rfc3339.h"
#include "hls/numbers.h"

namespace tribune::balancer {
namespace {

// The part of a segment's URI that identifies it: packagers and CDNs change host and query between refreshes.
std::string_view name_of(std::string_view uri) {
  uri = uri.substr(0, uri.find_first_of("?#"));
  const auto scheme = uri.find("://");
  if (scheme == std::string_view::npos) return uri;
  const auto path = uri.find('/', scheme + 3);
  return path == std::string_view::npos ? std::string_view{} : uri.substr(path);
}

// The whole numbers in a name before its suffix, as (begin, end).
std::vector<std::pair<std::size_t, std::size_t>> numbers_in(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789";
  std::vector<std::pair<std::size_t, std::size_t>> found;
  const auto dot = name.rfind('.');
  const auto stem = name.substr(
      0, dot > name.rfind('/') + 1 || name.find('/') == std::string_view::npos ? dot : std::string_view::npos);
  for (auto begin = stem.find_first_of(kDigits); begin != std::string_view::npos;) {
    const auto end = std::min(stem.find_first_not_of(kDigits, begin), stem.size());
    found.emplace_back(begin, end);
    begin = stem.find_first_of(kDigits, end);
  }
  return found;
}

}  // namespace

Timeline::Seen Timeline::seen_as(const hls::Playlist& source, const hls::Segment& segment,
                                 std::int64_t discontinuity_shift) {
  Seen seen;
  seen.name = base::fnv1a(name_of(source.uris[segment.uri_use].uri));
  if (segment.byterange) seen.name += base::multiplicative_hash(static_cast<std::uint64_t>(segment.byterange->offset));
  seen.discontinuity = segment.discontinuity_sequence + discontinuity_shift;
  if (const auto date = base::parse_iso8601(segment.program_date_time)) seen.date_ms = date->time_since_epoch().count();
  seen.duration_us = segment.duration.count();
  return seen;
}

bool Timeline::is_named_before(const hls::Playlist& source, const hls::Segment& segment, std::int64_t back,
                               const Seen& seen) {
  if (segment.byterange) return false;
  const auto name = name_of(source.uris[segment.uri_use].uri);
  for (const auto& [begin, end] : numbers_in(name)) {
    std::int64_t number = 0;
    const auto digits = name.substr(begin, end - begin);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc{} || number < back)
      continue;
    const auto before = name.substr(0, begin), after = name.substr(end);
    // 100 follows 99 or 099.
    if (seen.name == base::fnv1a(fmt::format("{}{}{}", before, number - back, after))) return true;
    if (seen.name == base::fnv1a(fmt::format("{}{:0{}}{}", before, number - back, digits.size(), after))) return true;
  }
  return false;
}

bool Timeline::is_confirmed(Track& track, const hls::Playlist& source, base::SteadyTime now, bool is_ahead) {
  constexpr std::int64_t kFurther = 16;  // segments that may be missing between the two
  auto& jump = track.jump;
  const auto target = source.target_duration;
  const bool meets = jump && source.media_sequence >= jump->first && source.media_sequence <= jump->end + kFurther &&
                     source.end_msn() >= jump->end;
  if (!meets) {
    const auto last = seen_as(source, source.segments.back(), 0);
    jump = Jump{source.media_sequence, source.end_msn(), source.trailing_parts, now, last.name};
    return false;
  }
  // A copy of the same playlist from an intermediate cache confirms nothing.
  const bool advances = source.end_msn() > jump->end || source.trailing_parts > jump->trailing_parts;
  const bool is_final = is_ahead || source.ended;
  if (!advances && !(is_final && now - jump->at >= target)) return false;
  const bool is_mixed = track.mixed && now - *track.mixed < kMixedFor * target;
  return !is_mixed || now - jump->at >= kMixedConfirmation * target;
}

Timeline::Verdict Timeline::classify(Track& track, const hls::Playlist& source, base::SteadyTime now,
                                     std::size_t origin) const {
  if (has_other_files(track, origin)) return Verdict::restarted;
  const bool is_first = !track.known || track.seen.empty();
  if (is_first && is_out_of_range(source))
    return is_confirmed(track, source, now, true) ? Verdict::restarted : Verdict::unconfirmed;
  if (is_first) return Verdict::first;
  const auto end = track.seen_end();
  const bool has_moved = origin != track.origin;
  // Another track has confirmed the other timeline, a change of the origin was decided by its health, and after a start
  // or a change of the configuration there is no playlist that could stand.
  const bool is_expected =
      track.generation < generations_.rbegin()->first || has_moved || !track.last || track.may_restart;
  const auto other_timeline = [&](bool is_ahead) {
    return is_confirmed(track, source, now, is_ahead) ? Verdict::restarted : Verdict::unconfirmed;
  };
  const bool ends_earlier =
      source.end_msn() < end || (source.end_msn() == end && source.trailing_parts < track.trailing_parts);
  if (ends_earlier) {
    if (!is_older_copy(track, source)) return is_expected ? Verdict::restarted : other_timeline(false);
    if (!track.only_older_since) track.only_older_since = now;
    return now - *track.only_older_since > kOlderCopy * source.target_duration ? Verdict::restarted
                                                                               : Verdict::older_copy;
  }
  // Numbers of another origin that do not overlap with known ones cannot be compared with them.
  if (source.media_sequence >= end && has_moved) return Verdict::restarted;
  if (source.media_sequence >= end) {
    if (!jumped_too_far(track, source, now) && !is_out_of_range(source)) return Verdict::newer;
    const bool is_known = track.generation < generations_.rbegin()->first;
    return is_known ? Verdict::restarted : other_timeline(true);
  }
  if (!mostly_differs(track, source)) return Verdict::newer;
  // Names that change with every refresh would otherwise restart the channel each time.
  const bool just_opened =
      !has_moved && now - generation(track.generation).opened < 5 * source.target_duration && track.generation > 0;
  if (just_opened || (track.jump && is_renamed(*track.jump, source))) return Verdict::newer;
  return is_expected ? Verdict::restarted : other_timeline(false);
}

bool Timeline::is_renamed(const Jump& jump, const hls::Playlist& source) {
  const auto at = std::find_if(source.segments.begin(), source.segments.end(),
                               [&](const hls::Segment& segment) { return segment.msn == jump.end - 1; });
  return at != source.segments.end() && seen_as(source, *at, 0).name != jump.name;
}

bool Timeline::is_out_of_range(const hls::Playlist& source) const {
  const auto& shifts = current();
  return source.end_msn() + shifts.msn_shift > kLargestFirst ||
         source.segments.back().discontinuity_sequence + shifts.discontinuity_shift > kLargestFirst;
}

bool Timeline::is_older_copy(const Track& track, const hls::Playlist& source) const {
  if (source.end_msn() <= track.seen_first || mostly_differs(track, source)) return false;
  std::int64_t lacking_us = 0;
  for (auto msn = source.end_msn(); msn < track.seen_end(); ++msn) lacking_us += track.find(msn)->duration_us;
  return std::chrono::microseconds{lacking_us} <= kOlderCopy * source.target_duration;
}

bool Timeline::mostly_differs(const Track& track, const hls::Playlist& source) {
  const auto tolerance = source.target_duration.count();
  std::size_t both = 0;
  std::size_t different = 0;
  for (const auto& segment : source.segments) {
    const auto* seen = track.find(segment.msn);
    if (!seen) continue;
    const auto now = seen_as(source, segment, 0);
    const bool other_date = seen->date_ms != 0 && now.date_ms != 0 && std::abs(seen->date_ms - now.date_ms) > tolerance;
    ++both;
    if (seen->name != now.name || other_date) ++different;
  }
  return different * 2 > both;
}

bool Timeline::jumped_too_far(const Track& track, const hls::Playlist& source, base::SteadyTime now) {
  const auto missing = source.media_sequence - track.seen_end();
  std::chrono::microseconds total{0};
  for (const auto& segment : source.segments) total += segment.duration;
  const auto mean = total / static_cast<std::int64_t>(source.segments.size());
  const auto allowed =
      2 * std::chrono::duration_cast<std::chrono::microseconds>(now - track.changed) + 10 * source.target_duration;
  return mean.count() > 0 && missing > allowed / mean;
}

}  // namespace tribune::balancer
