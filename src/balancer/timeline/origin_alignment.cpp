// Detects whether a playlist of another origin has the same media under other numbers.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <unordered_map>
#include <vector>

#include "balancer/timeline/timeline.h"
#include "base/rfc3339.h"
#include "hls/cut.h"
#include "hls/numbers.h"

namespace tribune::balancer {
namespace {

/// Votes of segments for an offset. An offset wins with more than half of the votes.
class Votes {
 public:
  void add(std::int64_t offset) { ++votes_[offset]; }
  std::optional<std::int64_t> winner() const {
    std::size_t all = 0;
    auto best = votes_.end();
    for (auto it = votes_.begin(); it != votes_.end(); ++it) {
      all += it->second;
      if (best == votes_.end() || it->second > best->second) best = it;
    }
    if (best == votes_.end() || best->second * 2 <= all) return std::nullopt;
    return best->first;
  }

 private:
  std::map<std::int64_t, std::size_t> votes_;
};

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Old segments that stay listed before a gap, so that a player that is up to that many segments behind the end
/// finds its position.
constexpr std::int64_t kKeptBeforeGap = 3;

std::int64_t date_of(const hls::Segment& segment) {
  const auto date = base::parse_iso8601(segment.program_date_time);
  return date ? date->time_since_epoch().count() : 0;
}

/// Segments of one name or date that are compared; more would make the comparison slow.
constexpr std::size_t kMaxAlike = 4;

/// When a segment begins.
struct Begin {
  std::int64_t date_us = 0;
  std::int64_t duration_us = 0;
  std::int64_t msn = 0;
};

/// Votes for the segments that begin when this one does, within half of the shorter one's duration, so that each has at
/// most one counterpart.
void vote(const Begin& here, const std::vector<Begin>& seen, Votes& votes) {
  const auto next = std::lower_bound(seen.begin(), seen.end(), here.date_us,
                                     [](const Begin& b, std::int64_t date) { return b.date_us < date; });
  const auto before = std::min<std::ptrdiff_t>(kMaxAlike / 2, next - seen.begin());
  const auto after = std::min<std::ptrdiff_t>(kMaxAlike / 2, seen.end() - next);
  for (auto at = next - before; at != next + after; ++at) {
    const auto apart_us = here.date_us - at->date_us;
    const auto allowed_us = std::min(here.duration_us, at->duration_us) / 2;
    if (apart_us == 0 || (-allowed_us < apart_us && apart_us <= allowed_us)) votes.add(at->msn - here.msn);
  }
}

// The date at which the playlist begins, by its first date; 0 without one.
std::int64_t begin_ms(const hls::Playlist& playlist) {
  microseconds before{0};
  for (const auto& segment : playlist.segments) {
    if (const auto date = date_of(segment); date != 0) return date - std::chrono::floor<milliseconds>(before).count();
    before += segment.duration;
  }
  return 0;
}

// The date at which the playlist ends, by its last date; 0 without one.
std::int64_t end_ms(const hls::Playlist& playlist) {
  microseconds after{0};
  for (auto segment = playlist.segments.rbegin(); segment != playlist.segments.rend(); ++segment) {
    after += segment->duration;
    if (const auto date = date_of(*segment); date != 0) return date + std::chrono::floor<milliseconds>(after).count();
  }
  return 0;
}

// The duration of each missing segment; 0 when the dates do not determine it.
microseconds missing_each(const hls::Playlist& before, const hls::Playlist& after, std::int64_t count) {
  const auto end = end_ms(before), begin = begin_ms(after);
  if (count <= 0 || end == 0 || begin <= end) return microseconds{0};
  const auto each = microseconds{milliseconds{begin - end}} / count;
  return each <= after.target_duration ? each : microseconds{0};
}

// The number of segments that fill a gap of this length, each no longer than the target duration.
std::int64_t missing_in(milliseconds gap, microseconds usual, milliseconds target) {
  if (usual.count() <= 0 || target.count() <= 0) return 0;
  const auto by_usual = (microseconds{gap} + usual / 2) / usual;
  return std::max<std::int64_t>({1, by_usual, (gap + target - milliseconds{1}) / target});
}

}  // namespace

// The dates determine the length of the gap. Without dates, the name determines the number of missing segments: the
// name of the first segment, counted back, is that of the last one seen.
std::optional<std::int64_t> Timeline::offset_over_gap(const Track& track, const hls::Playlist& source,
                                                      Evidence evidence) {
  const auto& first = source.segments.front();
  std::int64_t end = 0;
  microseconds all{0};
  for (auto seen = track.seen.rbegin(); seen != track.seen.rend(); ++seen) {
    all += microseconds{seen->duration_us};
    if (end == 0 && seen->date_ms != 0) end = seen->date_ms + std::chrono::floor<milliseconds>(all).count();
  }
  const auto begin = begin_ms(source);
  std::int64_t missing = 0;
  if (end != 0 && begin != 0) {
    if (begin > end)
      missing = missing_in(milliseconds{begin - end}, all / static_cast<std::int64_t>(track.seen.size()),
                           source.target_duration);
  } else if (evidence == Evidence::any) {
    for (std::int64_t back = 2; back <= hls::kMaxHole + 1 && missing == 0; ++back)
      if (is_named_before(source, first, back, track.seen.back())) missing = back - 1;
  }
  if (missing < 1 || missing > hls::kMaxHole) return std::nullopt;
  return track.seen_end() + missing - first.msn;
}

/// Of the same packager: another one that numbers by the clock has other dates, if only by milliseconds.
bool Timeline::is_copy(const Seen& seen, const Seen& other) {
  return seen.date_ms != 0 && seen.date_ms == other.date_ms && seen.duration_us == other.duration_us;
}

std::shared_ptr<const hls::Playlist> Timeline::append_to_tail(Track& track, const hls::Playlist& source,
                                                              hls::Joint joint, const hls::Limits& limits) const {
  const auto begins = source.media_sequence + joint.msn_shift;
  // Segments that left the source's window stay as they were listed; they are no gap.
  if (begins > track.tail->end_msn() && track.last && track.last->end_msn() > track.tail->end_msn())
    track.tail = std::make_shared<const hls::Playlist>(hls::cut(*track.last, begins));
  const auto& tail = *track.tail;
  const auto gap = begins - tail.end_msn();
  if (track.tail_window == 0) {
    track.tail_window = static_cast<std::int64_t>(tail.segments.size());
    if (joint.goes_on && gap > 0)
      track.tail_window =
          gap + std::max(track.tail_window, static_cast<std::int64_t>(source.segments.size()) + kKeptBeforeGap);
  }
  const auto is_new = [&](const hls::Segment& segment) { return segment.generation == track.generation; };
  const auto own = std::find_if(tail.segments.begin(), tail.segments.end(), is_new);
  const auto first = std::max(tail.media_sequence, source.end_msn() + joint.msn_shift - track.tail_window);
  if (first >= (own == tail.segments.end() ? tail.end_msn() : own->msn)) return nullptr;
  joint.goes_on = joint.goes_on || own != tail.segments.end();
  joint.missing_each = missing_each(tail, source, gap);
  auto joined = hls::join(tail, first, source, joint, limits);
  return joined ? std::make_shared<const hls::Playlist>(std::move(*joined)) : nullptr;
}

std::optional<std::int64_t> Timeline::offset_to(const Track& track, const hls::Playlist& source, Evidence evidence) {
  const auto tolerance_us = std::max<std::int64_t>(1, microseconds{source.target_duration}.count() / 4);
  std::vector<Begin> begins;  // of the segments seen, by date
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> names;
  std::int64_t seen_date_us = 0;  // given, or continued from the segment before
  for (std::size_t i = 0; i < track.seen.size(); ++i) {
    const auto& seen = track.seen[i];
    if (seen.date_ms != 0) seen_date_us = seen.date_ms * 1000;
    if (seen_date_us != 0)
      begins.push_back({seen_date_us, seen.duration_us, track.seen_first + static_cast<std::int64_t>(i)});
    if (auto& alike = names[seen.name]; alike.size() < kMaxAlike) alike.push_back(i);
    if (seen_date_us != 0) seen_date_us += seen.duration_us;
  }
  // A segment that directly follows the last one seen determines the offset, too.
  if (seen_date_us != 0) begins.push_back({seen_date_us, track.seen.back().duration_us, track.seen_end()});
  std::stable_sort(begins.begin(), begins.end(), [](const Begin& a, const Begin& b) { return a.date_us < b.date_us; });
  Votes by_date, by_name;
  std::int64_t date_us = 0;
  for (const auto& segment : source.segments) {
    const auto here = seen_as(source, segment, 0);
    if (here.date_ms != 0) date_us = here.date_ms * 1000;
    if (date_us != 0) {
      vote({date_us, here.duration_us, segment.msn}, begins, by_date);
      date_us += here.duration_us;
    }
    const auto alike = names.find(here.name);
    if (alike == names.end()) continue;
    if (evidence == Evidence::all &&
        std::none_of(alike->second.begin(), alike->second.end(), [&](auto i) { return is_copy(track.seen[i], here); }))
      return std::nullopt;
    for (const auto i : alike->second)
      if (std::abs(track.seen[i].duration_us - here.duration_us) <= tolerance_us)
        by_name.add(track.seen_first + static_cast<std::int64_t>(i) - segment.msn);
  }
  if (evidence == Evidence::all) return by_name.winner();
  const auto dated = by_date.winner();
  if (dated || evidence == Evidence::dates) return dated;
  const auto named = evidence == Evidence::any ? by_name.winner() : std::nullopt;
  return named ? named : offset_over_gap(track, source, evidence);
}

void Timeline::continue_numbering(const Track& track, const hls::Playlist& source, Generation& opened,
                                  Evidence evidence) const {
  const auto offset = offset_to(track, source, evidence);
  if (!offset) return;
  const auto& before = generation(track.generation);
  // The numbers meet at `meeting`, in the source's numbering; discontinuities are counted from there.
  const auto* meeting = &source.segments.front();
  const Seen* seen = nullptr;
  for (const auto& segment : source.segments) {
    seen = track.find(segment.msn + *offset);
    meeting = &segment;
    if (seen) break;
  }
  // A restarted encoder dates its first segment right after the last one, but its timestamps begin anew.
  if (!seen && evidence == Evidence::dates) return;
  const auto last = track.seen.back().discontinuity;
  const auto discontinuity = seen ? seen->discontinuity : last + source.segments.front().discontinuities;
  if (!seen) meeting = &source.segments.front();
  opened.msn_shift = before.msn_shift + *offset;
  opened.discontinuity_shift = discontinuity - meeting->discontinuity_sequence;
  opened.goes_on = true;
  opened.first = 0;
}

bool Timeline::lags_behind(const Track& track, const hls::Playlist& source, const Generation& generation) {
  return generation.goes_on && source.end_msn() + generation.msn_shift <= track.listed_to;
}

}  // namespace tribune::balancer
