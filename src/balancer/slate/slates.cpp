#include "balancer/slate/slates.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "balancer/rendering.h"

namespace tribune::balancer {
namespace {

constexpr std::size_t kGeneration = 512;   // renderings; two generations are kept
constexpr std::chrono::seconds kNoteTimeLate{2};   // the time is looked at so often, to be noted

/// The wall clock is read first: what passes in between makes the lead smaller, never larger.
std::chrono::nanoseconds lead_of(const base::Clock& clock) {
  const auto wall = clock.wall_now().time_since_epoch();
  return wall - clock.steady_now().time_since_epoch();
}

base::WallTime at_lead(base::SteadyTime steady, std::chrono::nanoseconds lead) {
  return base::WallTime{std::chrono::duration_cast<base::WallTime::duration>(steady.time_since_epoch() + lead)};
}

}  // namespace

Slates::Slates(const base::Clock& clock, base::Log& log, base::Metrics& metrics)
    : clock_(clock), log_(log), renders_(metrics.counter("tribune_balancer_slate_renders_total", "Playlists made for viewers who wait or waited.")),
      lead_(lead_of(clock)) {}

void Slates::load(const std::string& folder, const contracts::Event& event) {
  if (folder.empty()) return;
  for (const auto& channel : event.channels) {
    auto slate = Slate::load(folder, channel);
    if (slate) {
      log_.info("balancer", "slate_loaded", {{"channel", channel.id}, {"version", (*slate)->version()},
                                             {"renditions", (*slate)->renditions().size()}, {"segments", (*slate)->loop()}, {"continuous", (*slate)->is_continuous()}});
      slates_[channel.id] = std::move(*slate);
    } else if (channel.waiting_room == contracts::WaitingRoom::slate) {
      log_.warning("balancer", "slate_missing", {{"channel", channel.id}, {"error", slate.error().text}, {"outcome", "bare players in the queue get a 403"}});
    }
  }
}

const Slate* Slates::find(std::string_view channel) const {
  const auto found = slates_.find(channel);
  return found == slates_.end() ? nullptr : found->second.get();
}

base::WallTime Slates::now() const {
  const auto lead = lead_of(clock_);
  auto most = lead_.load();
  while (lead > most && !lead_.compare_exchange_weak(most, lead)) {}
  return at_lead(clock_.steady_now(), std::max(lead, most));
}

std::chrono::milliseconds Slates::ahead() const {
  return std::max(std::chrono::milliseconds{0}, std::chrono::ceil<std::chrono::milliseconds>(now() - clock_.wall_now()));
}

void Slates::continue_from(const SlateTime& reached) {
  const auto wall = now();
  const auto most_shown = reached.time + kNoteTimeEvery + kNoteTimeLate;
  // It was ahead of the clock by so much; the clock gained on it while the process was down, unless it was set back then.
  const auto went_on = wall + reached.ahead;
  const auto time = went_on < reached.time ? most_shown : std::max<base::WallTime>(wall, std::min<base::WallTime>(went_on, most_shown));
  lead_ = lead_.load() + (time - wall);
}

std::shared_ptr<const Rendered> Slates::kept(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = young_.find(key); found != young_.end()) return found->second;
  const auto found = old_.find(key);
  if (found == old_.end()) return nullptr;
  auto rendered = found->second;
  young_.emplace(key, rendered);
  return rendered;
}

// WHY: two workers may make the same text at once; it is the same, and cheaper than to wait for each other.
std::shared_ptr<const Rendered> Slates::keep(std::string key, std::string text) const {
  renders_.add();
  auto made = rendered(std::move(text));
  Kept dropped;   // destroyed outside the lock
  const std::lock_guard lock(mutex_);
  if (young_.size() >= kGeneration) {
    dropped.swap(old_);
    old_.swap(young_);
  }
  young_.emplace(std::move(key), made);
  return made;
}

std::shared_ptr<const Rendered> Slates::waiting(const Slate& slate, const SlateRendition& rendition, std::int64_t end) const {
  auto key = fmt::format("{}{} {}", slate.base_path(), rendition.path, end);
  if (auto known = kept(key)) return known;
  return keep(std::move(key), slate_text(slate, rendition, end));
}

base::Result<std::shared_ptr<const Rendered>> Slates::turned(const Slate* slate, const SlateRendition* rendition, const Turn& turn,
                                                             const Rendered& programme, const hls::Limits& limits) const {
  auto key = fmt::format("{} {} {} {} {} {}", programme.etag, rendition ? slate->base_path() + rendition->path : "", turn.slot, turn.msn,
                         turn.discontinuity, turn.programme_discontinuity);
  if (auto known = kept(key)) return known;
  auto text = turned_text(slate, rendition, turn, *programme.body, limits);
  if (!text) return tl::unexpected(text.error());
  return keep(std::move(key), std::move(*text));
}

}  // namespace tribune::balancer
