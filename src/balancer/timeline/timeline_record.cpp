// Timelines as records of the store. Steady times are saved as wall times and converted back relative to now.

#include <algorithm>

#include "balancer/timeline/timeline.h"
#include "base/json.h"
#include "hls/numbers.h"

namespace tribune::balancer {
namespace {

using base::json::Kind;
using base::json::Value;
constexpr std::size_t kSeenSaved = 64;
constexpr std::size_t kNumbersPerSeen = 4;
constexpr std::chrono::hours kTrackKept{168};  // the longest lifetime of a link

// A record with larger numbers is damaged, because too few numbers would remain for later segments.
constexpr std::int64_t kLargestKept = hls::kMaxInteger - (std::int64_t{1} << 40);

std::int64_t to_wall_ms(base::SteadyTime t, base::SteadyTime now, base::WallTime wall) {
  return std::chrono::floor<std::chrono::milliseconds>(wall.time_since_epoch() - (now - t)).count();
}

// The result is never in the future, even when the wall clock was set back.
base::SteadyTime to_steady(std::int64_t wall_ms, base::SteadyTime now, base::WallTime wall) {
  const auto age =
      std::chrono::floor<std::chrono::milliseconds>(wall.time_since_epoch()) - std::chrono::milliseconds{wall_ms};
  return now - std::clamp<std::chrono::milliseconds>(age, std::chrono::milliseconds{0}, std::chrono::hours{24 * 3650});
}

// The integers of an array; empty when it contains anything else.
std::vector<std::int64_t> integers(const Value* value) {
  std::vector<std::int64_t> out;
  if (!value || !value->is(Kind::array)) return out;
  for (const auto& item : value->array) {
    if (!item.is(Kind::integer)) return {};
    out.push_back(item.integer);
  }
  return out;
}

}  // namespace

Timeline::Standing Timeline::standing() const {
  Standing all{current().epoch, std::max(forgotten_to_, former_end_),
               std::max(forgotten_discontinuity_, former_discontinuity_)};
  for (const auto& [name, track] : tracks_) {
    all.next_msn = std::max(all.next_msn, track.listed_to);
    all.discontinuity = std::max(all.discontinuity, track.last_discontinuity);
  }
  return all;
}

bool Timeline::continue_above(const Standing& former, base::SteadyTime now) {
  const auto own = standing();
  const bool is_known = std::any_of(generations_.begin(), generations_.end(),
                                    [&](const auto& entry) { return entry.second.epoch == former.epoch; });
  const bool is_above = former.next_msn <= own.next_msn && (is_known || former.discontinuity <= own.discontinuity);
  former_end_ = std::max(former_end_, former.next_msn);
  former_discontinuity_ = std::max(former_discontinuity_, former.discontinuity);
  if (is_above) return false;
  // The records are older than what was listed.
  if (!is_known || !is_continued_) unseen_ = kUnseen;
  if (is_known) return false;
  for (const auto& track : tracks()) forget(track);
  if (generations_.empty() || current().is_placed) open_unplaced(now);
  return true;
}

bool Timeline::is_lost(const std::string& name, const hls::Playlist& source) const {
  // The players of an ended playlist do not load it again.
  if (is_continued_ || source.ended || !current().is_placed) return false;
  const auto is_known = [](const auto& entry) { return entry.second.known; };
  if (const auto found = tracks_.find(name); found != tracks_.end() && found->second.known)
    return unseen_ > 0 && source.end_msn() + generation(found->second.generation).msn_shift < former_end_;
  return unseen_ > 0 || (former_end_ > forgotten_to_ && std::none_of(tracks_.begin(), tracks_.end(), is_known));
}

void Timeline::open_unplaced(base::SteadyTime now) {
  Generation opened;
  opened.opened = now;
  opened.is_placed = false;
  open_generation(std::move(opened));
}

/// How many numbers a process may have listed after this record of the track, if it could not write another one.
std::int64_t Timeline::listed_since(const Track& track, base::SteadyTime now) {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - track.changed);
  return track.last || age <= kRecordIsRecent ? 0 : age.count() * kListedPerSecond;
}

std::string Timeline::save_channel(base::SteadyTime now, base::WallTime wall) const {
  const auto listed = standing();  // of tracks whose records may be lost
  base::json::Writer w;
  w.begin_object().member("forgotten_to", forgotten_to_).member("forgotten_discontinuity", forgotten_discontinuity_);
  w.member("listed_to", listed.next_msn).member("last_discontinuity", listed.discontinuity);
  w.member("source", source_).member("source_since", std::int64_t{source_since_});
  w.key("generations").begin_array();
  for (const auto& [index, g] : generations_) {
    w.begin_object();
    w.member("index", std::int64_t{index}).member("epoch", g.epoch).member("msn_shift", g.msn_shift);
    w.member("discontinuity_shift", g.discontinuity_shift).member("opened", to_wall_ms(g.opened, now, wall));
    w.member("origin", static_cast<std::int64_t>(g.origin)).member("goes_on", g.goes_on);
    w.member("first", g.first);
    if (!g.is_placed) w.member("is_placed", false);
    w.end_object();
  }
  return w.end_array().end_object().take();
}

void Timeline::load_channel(std::string_view record, base::SteadyTime now, base::WallTime wall) {
  const auto value = base::json::parse(record);
  const auto* generations = value ? value->find("generations") : nullptr;
  if (!generations) return;
  const auto number = [](const Value& from, std::string_view name) {
    const auto found = from.whole(name).value_or(0);
    return found > kLargestKept ? 0 : found;
  };
  is_continued_ = false;
  forgotten_to_ = number(*value, "forgotten_to");
  forgotten_discontinuity_ = number(*value, "forgotten_discontinuity");
  former_end_ = number(*value, "listed_to");
  former_discontinuity_ = number(*value, "last_discontinuity");
  source_ = value->text("source").value_or("");
  source_since_ =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(value->whole("source_since").value_or(0), 0, UINT32_MAX));
  for (const auto& item : generations->array) {
    const auto index = item.whole("index");
    const auto epoch = item.text("epoch");
    if (item.whole("msn_shift").value_or(0) > kLargestKept ||
        item.whole("discontinuity_shift").value_or(0) > kLargestKept)
      continue;
    if (!index || *index < 0 || *index > UINT32_MAX || !epoch || epoch->empty() || epoch->size() > 16) continue;
    generations_[static_cast<std::uint32_t>(*index)] =
        Generation{std::string(*epoch),
                   item.whole("msn_shift").value_or(0),
                   item.whole("discontinuity_shift").value_or(0),
                   to_steady(item.whole("opened").value_or(0), now, wall),
                   static_cast<std::size_t>(std::max<std::int64_t>(0, item.whole("origin").value_or(0))),
                   item.flag("goes_on").value_or(false),
                   number(item, "first"),
                   item.flag("is_placed").value_or(true)};
  }
}

std::string Timeline::save_track(const std::string& name, base::SteadyTime now, base::WallTime wall) const {
  const auto found = tracks_.find(name);
  if (found == tracks_.end()) return "{}";
  const auto& track = found->second;
  const auto skipped = track.seen.size() - std::min(track.seen.size(), kSeenSaved);
  base::json::Writer w;
  w.begin_object();
  w.member("generation", std::int64_t{track.generation});
  w.member("origin", static_cast<std::int64_t>(track.origin));
  w.member("seen_first", track.seen_first + static_cast<std::int64_t>(skipped));
  w.member("trailing_parts", std::int64_t{track.trailing_parts});
  w.member("discontinuity_shift", track.discontinuity_shift).member("floor", track.floor).member("first", track.first);
  w.member("listed_to", track.listed_to).member("last_discontinuity", track.last_discontinuity);
  w.member("changed", to_wall_ms(track.changed, now, wall)).member("span_ms", std::int64_t{track.span.count()});
  if (track.live_until) w.member("live_until", to_wall_ms(*track.live_until, now, wall));
  if (track.keeps_all) w.member("keeps_all", true);
  if (track.has_ended) w.member("has_ended", true);
  w.key("seen").begin_array();
  for (auto i = skipped; i < track.seen.size(); ++i) {
    const auto& seen = track.seen[i];
    w.value(static_cast<std::int64_t>(seen.name)).value(seen.discontinuity).value(seen.date_ms).value(seen.duration_us);
  }
  w.end_array().key("expiries").begin_array();
  for (const auto& run : track.terms) w.value(run.first_msn).value(run.expires);
  w.end_array().key("paces").begin_array();
  for (const auto& run : track.terms) w.value(run.pace_kbps);
  return w.end_array().end_object().take();
}

void Timeline::load_track(const std::string& name, std::string_view record, base::SteadyTime now, base::WallTime wall) {
  const auto value = base::json::parse(record);
  if (!value || !value->is(Kind::object) || generations_.empty()) return;
  const auto seen = integers(value->find("seen"));
  const auto expiries = integers(value->find("expiries"));
  const auto paces = integers(value->find("paces"));  // empty in a record of a version without pacing
  const auto index = value->whole("generation").value_or(-1);
  if (seen.empty() || seen.size() % kNumbersPerSeen != 0 || expiries.size() % 2 != 0) return;
  if (index < 0 || !generations_.count(static_cast<std::uint32_t>(index))) return;
  const auto is_full = [&](std::string_view member) { return value->whole(member).value_or(0) > kLargestKept; };
  if (is_full("listed_to") || is_full("last_discontinuity")) return;
  Track track;
  track.known = true;
  track.generation = static_cast<std::uint32_t>(index);
  track.origin = static_cast<std::size_t>(std::max<std::int64_t>(0, value->whole("origin").value_or(0)));
  track.seen_first = value->whole("seen_first").value_or(0);
  for (std::size_t i = 0; i < seen.size(); i += kNumbersPerSeen)
    track.seen.push_back({static_cast<std::uint64_t>(seen[i]), seen[i + 1], seen[i + 2], seen[i + 3]});
  for (std::size_t i = 0; i < expiries.size(); i += 2)
    track.terms.push_back({expiries[i], expiries[i + 1], i / 2 < paces.size() ? paces[i / 2] : 0});
  track.trailing_parts = static_cast<std::int32_t>(value->whole("trailing_parts").value_or(0));
  track.discontinuity_shift = value->whole("discontinuity_shift").value_or(0);
  track.floor = value->whole("floor").value_or(0);
  track.first = value->whole("first").value_or(0);
  track.listed_to = value->whole("listed_to").value_or(0);
  track.last_discontinuity = value->whole("last_discontinuity").value_or(0);
  track.changed = to_steady(value->whole("changed").value_or(0), now, wall);
  constexpr std::int64_t kLongestSpan = std::chrono::milliseconds{std::chrono::hours{30 * 24}}.count();
  track.span =
      std::chrono::milliseconds{std::clamp<std::int64_t>(value->whole("span_ms").value_or(0), 0, kLongestSpan)};
  if (const auto live_until = value->whole("live_until")) track.live_until = to_steady(*live_until, now, wall);
  track.keeps_all = value->flag("keeps_all").value_or(false);
  track.has_ended = value->flag("has_ended").value_or(false);
  tracks_[name] = std::move(track);
  if (now - tracks_[name].changed > kTrackKept) forget(name);
}

}  // namespace tribune::balancer
