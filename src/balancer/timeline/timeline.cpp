#include "balancer/timeline/timeline.h"

#include <algorithm>
#include <utility>

namespace tribune::balancer {
namespace {

constexpr std::size_t kGenerationsKept = 16;
constexpr std::int64_t kSeenBehind = 64;  // numbers remembered after they left the playlist

/// The first segment of the last kLiveEdge target durations.
const hls::Segment& live_edge(const hls::Playlist& source) {
  std::chrono::microseconds listed{0};
  auto first = source.segments.size();
  while (first > 0 && listed + source.segments[first - 1].duration <= kLiveEdge * source.target_duration)
    listed += source.segments[--first].duration;
  return source.segments[std::min(first, source.segments.size() - 1)];
}

std::chrono::milliseconds older_copy_time(const hls::Playlist& source) { return kOlderCopy * source.target_duration; }

}  // namespace

std::chrono::milliseconds span_of(const hls::Playlist& playlist) {
  constexpr std::chrono::microseconds kLongest = std::chrono::hours{30 * 24};
  std::chrono::microseconds span{0};
  for (const auto& segment : playlist.segments)
    span = std::min(kLongest, span + std::clamp(segment.duration, std::chrono::microseconds{0}, kLongest));
  return std::chrono::ceil<std::chrono::milliseconds>(span);
}

const Timeline::Seen* Timeline::Track::find(std::int64_t msn) const {
  return msn >= seen_first && msn < seen_end() ? &seen[static_cast<std::size_t>(msn - seen_first)] : nullptr;
}

const Generation& Timeline::generation(std::uint32_t index) const {
  const auto found = generations_.find(index);
  return found == generations_.end() ? current() : found->second;
}

const Generation& Timeline::current() const {
  static const Generation none;
  return generations_.empty() ? none : generations_.rbegin()->second;
}

Timeline::LinkTerms Timeline::terms(const std::string& track, std::int64_t msn) const {
  const auto found = tracks_.find(track);
  if (found == tracks_.end() || found->second.terms.empty()) return {};
  const auto& runs = found->second.terms;
  auto run = std::upper_bound(runs.begin(), runs.end(), msn,
                              [](std::int64_t m, const LinkTerms& r) { return m < r.first_msn; });
  return run == runs.begin() ? runs.front() : *std::prev(run);
}

std::optional<Timeline::Links> Timeline::links(const std::string& track) const {
  const auto found = tracks_.find(track);
  if (found == tracks_.end() || found->second.terms.empty()) return std::nullopt;
  auto oldest = found->second.terms.front().expires;
  for (const auto& run : found->second.terms) oldest = std::min(oldest, run.expires);
  return Links{oldest, found->second.span, found->second.live_until, found->second.keeps_all};
}

bool Timeline::is_live(const std::string& track) const {
  const auto found = tracks_.find(track);
  if (found == tracks_.end() || is_of_former_source(found->second)) return false;
  return found->second.live_until && !found->second.has_ended;
}

std::vector<std::string> Timeline::tracks() const {
  std::vector<std::string> names;
  for (const auto& [name, track] : tracks_) names.push_back(name);
  return names;
}

void Timeline::renew(const std::string& track, std::int64_t expires, std::int64_t pace_kbps) {
  const auto found = tracks_.find(track);
  if (found != tracks_.end()) found->second.terms = {{0, expires, pace_kbps}};
}

void Timeline::forget(const std::string& name) {
  const auto found = tracks_.find(name);
  if (found == tracks_.end()) return;
  forgotten_to_ = std::max(forgotten_to_, found->second.listed_to);
  forgotten_discontinuity_ = std::max(forgotten_discontinuity_, found->second.last_discontinuity);
  tracks_.erase(found);
}

base::Result<Timeline::Outcome> Timeline::observe(const std::string& name, const hls::Playlist& source,
                                                  std::int64_t expires, base::SteadyTime now, const hls::Limits& limits,
                                                  std::size_t origin, std::int64_t pace_kbps) {
  if (source.segments.empty())
    return base::failure(base::ErrorKind::not_found, base::Fault::origin, "the playlist has no segments", true);
  Outcome outcome;
  begin(now);
  if (is_lost(name, source)) {
    forget(name);
    open_unplaced(now);
  }
  if (tracks_.empty() && distrusted_.contains(origin)) name_newest_at(origin);
  auto& track = tracks_[name];
  if (!current().is_placed) {
    auto placed = next_generation(source, now, track, origin);
    placed.epoch = current().epoch;
    const auto named_at = std::exchange(placed.origin, current().origin);
    generations_.rbegin()->second = std::move(placed);
    name_newest_at(named_at);
    on_numbered();
    ++revision_;
  }
  const auto newest = generations_.rbegin()->first;
  const bool has_new_source = is_of_former_source(track);
  outcome.verdict = has_new_source ? enter_source(track, source) : classify(track, source, now, origin);
  if (outcome.verdict == Verdict::unconfirmed) return outcome;
  if (track.jump && outcome.verdict != Verdict::restarted) track.mixed = now;
  track.jump.reset();
  if (outcome.verdict == Verdict::newer) {
    track.only_older_since.reset();
    if (track.generation == newest) on_numbered();
  }
  if (has_new_source) {
    track.mixed.reset();
  } else if (track.known && track.generation < newest) {
    // Another track has detected a restart. This track may receive the old run for older_copy_time() longer.
    if (outcome.verdict == Verdict::restarted || now - current().opened > older_copy_time(source)) {
      outcome.verdict = lags_behind(track, source, current()) ? Verdict::older_copy : Verdict::restarted;
      if (outcome.verdict == Verdict::restarted) enter_generation(track);
    }
  } else if (outcome.verdict == Verdict::restarted) {
    auto opened = next_generation(source, now, track, origin);
    if (!track.only_older_since) track.only_older_since = now;
    // A looped playout may repeat its dates.
    if (origin == track.origin && now - *track.only_older_since > kDatedCopy * source.target_duration)
      opened = next_generation(source, now, track, origin, false);
    if (lags_behind(track, source, opened)) {
      outcome.verdict = Verdict::older_copy;
    } else {
      open_generation(std::move(opened));
      on_numbered();
      enter_generation(track);
    }
  } else if (outcome.verdict == Verdict::first) {
    enter_generation(track);
  }
  if (outcome.verdict == Verdict::older_copy) return outcome;
  auto shown = for_viewers(track, source, limits);
  if (!shown) return tl::unexpected(shown.error());
  outcome.playlist = *shown;
  track.origin = origin;
  remember(track, source, std::move(*shown), {0, expires, pace_kbps}, now);
  return outcome;
}

/// The numbers of this process are known to be above those of a former one.
void Timeline::on_numbered() {
  unseen_ = 0;
  is_continued_ = true;
}

void Timeline::begin(base::SteadyTime now) {
  if (!generations_.empty()) return;
  generations_[0] = Generation{new_epoch_(0), 0, 0, now};
  ++revision_;
}

bool Timeline::use_source(std::string id, bool keeps_epoch, base::SteadyTime now) {
  const bool is_named = source_ == id;
  const bool is_other = !keeps_epoch || !(is_named || source_.empty());
  source_ = std::move(id);
  if (generations_.empty()) return false;
  if (!is_named) ++revision_;
  if (!is_other) return false;
  open_unplaced(now);
  source_since_ = generations_.rbegin()->first;
  return true;
}

bool Timeline::has_other_files(const Track& track, std::size_t origin) const {
  const auto named_at = track.known ? generation(track.generation).origin : current().origin;
  return origin != named_at && (distrusted_.contains(origin) || distrusted_.contains(named_at));
}

void Timeline::expect_restart() {
  for (auto& [name, track] : tracks_) track.may_restart = true;
}

/// The track's first playlist of another source.
Timeline::Verdict Timeline::enter_source(Track& track, const hls::Playlist& source) {
  if (lags_behind(track, source, current())) return Verdict::older_copy;
  enter_generation(track);
  track.live_until.reset();
  return Verdict::restarted;
}

// The first segment of the new run follows everything that any track has listed.
Generation Timeline::next_generation(const hls::Playlist& source, base::SteadyTime now, const Track& cause,
                                     std::size_t origin, bool may_continue) const {
  const auto listed = standing();
  auto next = listed.next_msn;
  for (const auto& [name, track] : tracks_)
    if (!is_continued_) next = std::max(next, track.listed_to + listed_since(track, now));
  next += unseen_;
  const auto discontinuity = listed.discontinuity + unseen_;
  const bool is_other_source = !current().is_placed;
  // Viewers have listed what was live before.
  const bool is_joined = next > 0 && !source.ended && !(is_other_source && source.is_event);
  const auto& first = is_joined ? live_edge(source) : source.segments.front();
  const auto own = std::max<std::int64_t>(1, first.discontinuities);
  const bool is_elsewhere = has_other_files(cause, origin);
  const bool has_moved = origin != cause.origin || is_elsewhere;
  // Trusted origins have the names of the source.
  const auto named_at = distrusted_.contains(origin)    ? origin
                        : is_elsewhere                  ? 0
                        : has_moved && !is_other_source ? origin
                                                        : current().origin;
  Generation opened{"",    next - first.msn,    discontinuity + own - first.discontinuity_sequence, now, named_at,
                    false, is_joined ? next : 0};
  if (next == 0) {  // nothing was listed yet: all balancers begin with the same number
    opened.msn_shift = -(first.msn / kLargestFirst * kLargestFirst);
    opened.discontinuity_shift = -(first.discontinuity_sequence / kLargestFirst * kLargestFirst);
  }
  if (!may_continue || cause.seen.empty() || (is_other_source && !is_joined)) return opened;
  const auto evidence = is_other_source ? Evidence::all
                        : is_elsewhere  ? Evidence::dates_elsewhere
                        : has_moved     ? Evidence::any
                                        : Evidence::dates;
  continue_numbering(cause, source, opened, evidence);
  return opened;
}

void Timeline::open_generation(Generation opened) {
  opened.epoch = new_epoch_(opened.origin);
  const auto index = generations_.empty() ? 0 : generations_.rbegin()->first + 1;
  generations_[index] = std::move(opened);
  ++revision_;
  while (generations_.size() > kGenerationsKept) generations_.erase(generations_.begin());
}

/// Before it lists anything.
void Timeline::name_newest_at(std::size_t origin) {
  auto& newest = generations_.rbegin()->second;
  if (newest.origin == origin) return;
  newest.origin = origin;
  newest.epoch = new_epoch_(origin);
  ++revision_;
}

void Timeline::enter_generation(Track& track) {
  const auto& [index, generation] = *generations_.rbegin();
  const bool both_slide = track.last && generation.first > 0 && !track.last->is_event;
  const bool is_joined = !is_of_former_source(track) || generation.goes_on || both_slide;
  track.generation = index;
  track.discontinuity_shift = generation.discontinuity_shift;
  track.floor = track.listed_to;
  // A player that saw the end of a playlist does not load it again, and an interstitial is not played twice.
  track.tail = track.last && !track.last->ended && is_joined ? track.last : nullptr;
  track.tail_window = 0;
  track.seen.clear();
  track.trailing_parts = 0;
  track.only_older_since.reset();
  track.known = true;
}

base::Result<std::shared_ptr<const hls::Playlist>> Timeline::for_viewers(Track& track, const hls::Playlist& source,
                                                                         const hls::Limits& limits) {
  // A source that does not count the discontinuities that left its window is corrected by what was listed before.
  for (const auto& segment : source.segments) {
    const auto* seen = track.find(segment.msn);
    if (!seen) continue;
    track.discontinuity_shift = seen->discontinuity - segment.discontinuity_sequence;
    break;
  }
  const auto& present = generation(track.generation);
  const auto shift = present.msn_shift;
  const hls::Joint joint{shift, track.discontinuity_shift, track.generation, present.goes_on, {}, present.first};
  if (track.tail) {
    if (auto joined = append_to_tail(track, source, joint, limits)) return joined;
    track.tail.reset();
  }
  const auto floor = std::max({track.floor, track.first, present.first});
  if (shift == 0 && track.discontinuity_shift == 0 && source.media_sequence >= floor) {
    auto shown = std::make_shared<hls::Playlist>(source);
    for (auto& segment : shown->segments) segment.generation = track.generation;
    for (auto& use : shown->uris) use.generation = track.generation;
    return std::shared_ptr<const hls::Playlist>(std::move(shown));
  }
  hls::Playlist nothing;
  nothing.media_sequence = floor;
  auto alone = hls::join(nothing, floor, source, joint, limits);
  if (!alone) return tl::unexpected(alone.error());
  return std::make_shared<const hls::Playlist>(std::move(*alone));
}

void Timeline::remember(Track& track, const hls::Playlist& source, std::shared_ptr<const hls::Playlist> shown,
                        const LinkTerms& terms, base::SteadyTime now) {
  if (track.seen_end() != source.end_msn() || track.seen.empty() || track.trailing_parts != source.trailing_parts)
    track.changed = now;
  std::vector<Seen> seen;
  const auto begin = std::max(source.media_sequence - kSeenBehind, track.seen_first);
  std::int64_t first = source.media_sequence;
  if (!track.seen.empty() && track.seen_end() >= source.media_sequence && begin < source.media_sequence) {
    first = begin;
    for (auto msn = begin; msn < source.media_sequence; ++msn) seen.push_back(*track.find(msn));
  }
  for (const auto& segment : source.segments) seen.push_back(seen_as(source, segment, track.discontinuity_shift));
  track.seen_first = first;
  track.seen = std::move(seen);
  track.trailing_parts = source.trailing_parts;
  track.first = shown->media_sequence;
  track.last_discontinuity = std::max(track.last_discontinuity, shown->segments.back().discontinuity_sequence);
  auto& runs = track.terms;
  if (runs.empty() || runs.back().expires != terms.expires || runs.back().pace_kbps != terms.pace_kbps)
    runs.push_back({runs.empty() ? shown->media_sequence : track.listed_to, terms.expires, terms.pace_kbps});
  while (runs.size() > 1 && runs[1].first_msn <= track.first) runs.erase(runs.begin());
  track.listed_to = std::max(track.listed_to, shown->next_msn());
  track.span = span_of(*shown);
  track.may_restart = false;
  if (!shown->ended) track.live_until = now;
  track.keeps_all = shown->is_event && !shown->ended;
  track.has_ended = shown->ended;
  track.last = std::move(shown);
}

}  // namespace tribune::balancer
