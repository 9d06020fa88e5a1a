#include "balancer/slate/slates.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "balancer/sources/rendering.h"

namespace tribune::balancer {
namespace {

constexpr std::int64_t kSlotsServed = 100;              // before the current one; more than any playlist lists
constexpr std::chrono::seconds kStep{1};                // smaller differences are gradual corrections of the clock
constexpr std::chrono::seconds kSlateTimeSaveDelay{2};  // sweep() runs in this period

/// The wall clock is read first: time that passes between the two readings makes the lead smaller, never larger.
std::chrono::nanoseconds lead_of(const base::Clock& clock) {
  const auto wall = clock.wall_now().time_since_epoch();
  return wall - clock.steady_now().time_since_epoch();
}

base::WallTime at_lead(base::SteadyTime steady, std::chrono::nanoseconds lead) {
  return base::WallTime{std::chrono::duration_cast<base::WallTime::duration>(steady.time_since_epoch() + lead)};
}

}  // namespace

Slates::Slates(const base::Clock& clock, base::Log& log, base::Metrics& metrics,
               std::shared_ptr<RenderedPlaylists> texts)
    : clock_(clock),
      log_(log),
      renders_(metrics.counter("tribune_balancer_slate_renders_total",
                               "Playlists rendered for viewers in the waiting room and after it.")),
      lead_(lead_of(clock)),
      former_lead_(lead_.load()),
      texts_(std::move(texts)),
      owner_(texts_->new_owner()) {}

void Slates::load(const std::string& folder, const contracts::Event& event) {
  if (folder.empty()) return;
  for (const auto& channel : event.channels) {
    auto slate = Slate::load(folder, channel);
    if (slate) {
      log_.info("balancer", "slate_loaded",
                {{"channel", channel.id},
                 {"version", (*slate)->version()},
                 {"renditions", (*slate)->renditions().size()},
                 {"segments", (*slate)->loop()},
                 {"continuous", (*slate)->is_continuous()}});
      slates_[channel.id] = std::move(*slate);
    } else if (channel.waiting_room == contracts::WaitingRoom::slate) {
      log_.warning("balancer", "slate_missing",
                   {{"channel", channel.id},
                    {"error", slate.error().text},
                    {"outcome", "players without the access API receive 403 while they are queued"}});
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
  if (lead > most + kStep) former_lead_ = most;
  while (lead > most && !lead_.compare_exchange_weak(most, lead)) {
  }
  return at_lead(clock_.steady_now(), std::max(lead, most));
}

bool Slates::is_listed(const Slate& slate, std::int64_t number) const {
  const auto is_near = [number](std::int64_t newest) { return number <= newest + 1 && number > newest - kSlotsServed; };
  return is_near(slot(slate)) || is_near(slot_at(slate.slot(), at_lead(clock_.steady_now(), former_lead_.load())));
}

std::chrono::milliseconds Slates::ahead() const {
  return std::max(std::chrono::milliseconds{0},
                  std::chrono::ceil<std::chrono::milliseconds>(now() - clock_.wall_now()));
}

void Slates::continue_from(const SlateTime& reached) {
  const auto wall = now();
  const auto most_shown = reached.time + kSlateTimeSavePeriod + kSlateTimeSaveDelay;
  // The slates' time was ahead of the clock by `ahead`. The clock continued while the process was down, unless it was
  // set back.
  const auto went_on = wall + reached.ahead;
  const auto time = went_on < reached.time
                        ? most_shown
                        : std::max<base::WallTime>(wall, std::min<base::WallTime>(went_on, most_shown));
  former_lead_ = lead_ = lead_.load() + (time - wall);
}

std::shared_ptr<const Rendered> Slates::cached(const std::string& key, const std::function<std::string()>& make) const {
  return texts_->get(owner_, key, [&] {
    renders_.add();
    return rendered(make());
  });
}

std::shared_ptr<const Rendered> Slates::waiting_playlist(const Slate& slate, const SlateRendition& rendition,
                                                         std::int64_t end) const {
  return cached(fmt::format("{}{} {}", slate.base_path(), rendition.path, end),
                [&] { return slate_text(slate, rendition, end); });
}

base::Result<std::shared_ptr<const Rendered>> Slates::playlist_after_transition(const Slate* slate,
                                                                                const SlateRendition* rendition,
                                                                                const SlateTransition& transition,
                                                                                const Rendered& programme,
                                                                                const hls::Limits& limits) const {
  const auto key =
      fmt::format("{} {} {} {} {} {}", programme.etag, rendition ? slate->base_path() + rendition->path : "",
                  transition.slot, transition.msn, transition.discontinuity, transition.programme_discontinuity);
  std::optional<base::Error> failed;
  auto text = texts_->get(owner_, key, [&]() -> std::shared_ptr<const Rendered> {
    auto made = text_after_transition(slate, rendition, transition, *programme.body, limits);
    if (made) {
      renders_.add();
      return rendered(std::move(*made));
    }
    failed = made.error();
    return nullptr;
  });
  if (text) return text;
  if (failed) return tl::unexpected(*failed);
  return base::failure(base::ErrorKind::unavailable, base::Fault::origin,
                       "the programme cannot be joined to the waiting room at present", true);
}

}  // namespace tribune::balancer
