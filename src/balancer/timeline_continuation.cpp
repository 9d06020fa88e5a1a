// Whether a playlist of another origin shows the same media under other numbers.

#include <algorithm>
#include <cstdlib>
#include <map>

#include "balancer/timeline.h"

namespace tribune::balancer {
namespace {

/// Votes for an offset; the one that most segments speak for wins when nothing like as many contradict it.
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

}  // namespace

std::optional<std::int64_t> Timeline::offset_to(const Track& track, const hls::Playlist& source) {
  Votes by_date, by_name;
  const auto tolerance_ms = std::max<std::int64_t>(1, std::chrono::milliseconds(source.target_duration).count() / 4);
  std::int64_t date_ms = 0;             // of the segment at hand: given, or carried on from the one before
  for (const auto& segment : source.segments) {
    const auto here = seen_as(source, segment, 0);
    if (here.date_ms != 0) date_ms = here.date_ms;
    std::int64_t seen_date_ms = 0;
    for (std::size_t i = 0; i < track.seen.size(); ++i) {
      const auto& seen = track.seen[i];
      const auto offset = track.seen_first + static_cast<std::int64_t>(i) - segment.msn;
      if (seen.date_ms != 0) seen_date_ms = seen.date_ms;
      if (date_ms != 0 && seen_date_ms != 0 && std::abs(date_ms - seen_date_ms) <= tolerance_ms) by_date.add(offset);
      if (seen.name == here.name && std::abs(seen.duration_us - here.duration_us) <= tolerance_ms * 1000) by_name.add(offset);
      if (seen_date_ms != 0) seen_date_ms += seen.duration_us / 1000;
    }
    // The segment that follows the last one seen at once meets it too.
    const auto next = track.seen_first + static_cast<std::int64_t>(track.seen.size());
    if (date_ms != 0 && seen_date_ms != 0 && std::abs(date_ms - seen_date_ms) <= tolerance_ms) by_date.add(next - segment.msn);
    if (date_ms != 0) date_ms += here.duration_us / 1000;
  }
  const auto dated = by_date.winner();
  return dated ? dated : by_name.winner();
}

void Timeline::go_on(const Track& track, const hls::Playlist& source, Generation& opened) const {
  const auto offset = offset_to(track, source);
  if (!offset) return;
  const auto& before = generation(track.generation);
  // The numbers meet at `met`, in the source's own count; discontinuities are counted on from there.
  const auto* met = &source.segments.front();
  const Seen* seen = nullptr;
  for (const auto& segment : source.segments) {
    seen = track.find(segment.msn + *offset);
    met = &segment;
    if (seen) break;
  }
  const auto last = track.seen.back().discontinuity;
  const auto discontinuity = seen ? seen->discontinuity : last + source.segments.front().discontinuities;
  if (!seen) met = &source.segments.front();
  opened.msn_shift = before.msn_shift + *offset;
  opened.discontinuity_shift = discontinuity - met->discontinuity_sequence;
  opened.goes_on = true;
}

bool Timeline::lags_behind(const Track& track, const hls::Playlist& source, const Generation& generation) {
  return generation.goes_on && source.end_msn() + generation.msn_shift <= track.listed_to;
}

}  // namespace tribune::balancer
