#include "balancer/source_feed.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "balancer/rendering.h"
#include "balancer/source_channel.h"

namespace tribune::balancer {

using namespace std::chrono_literals;

namespace {

constexpr int kMaxHops = 5;
constexpr int kDeepest = 3;   // an interstitial's multivariant playlist, named by a media playlist, and its children

/// The segments, parts and hints at the end of a playlist, and what they need, as targets at a node, the oldest first.
std::vector<std::string> newest_targets(const hls::Playlist& playlist, const std::vector<SourceLinkPtr>& links) {
  std::vector<std::string> newest;
  for (auto i = playlist.uris.size(); i-- > 0 && newest.size() < kMaxAnnounced;) {
    const auto& link = links[i];
    if (link && !link->target.empty() && std::find(newest.begin(), newest.end(), link->target) == newest.end()) newest.push_back(link->target);
  }
  std::reverse(newest.begin(), newest.end());
  return newest;
}

base::Error refused(std::string text) { return {base::ErrorKind::invalid_input, base::Fault::origin, true, std::move(text)}; }

}  // namespace

SourceFeed::SourceFeed(SourceChannel& channel, FeedIdentity identity)
    : channel_(channel), identity_(std::move(identity)), media_(channel.worker().client, channel.worker().loop),
      announcer_(channel.news(), channel.worker().loop, channel.services().clock, channel.services().metrics), source_(*this, slot_, channel.settings()) {}

SourceFeed::~SourceFeed() = default;

std::string SourceFeed::track() const { return identity_.query.empty() ? identity_.path : identity_.path + "?" + identity_.query; }

// A playlist that does not change any more is read again in time. Links of a live one are made as its segments come.
bool SourceFeed::needs_new_links() const {
  const auto state = slot_->state.get();
  return state->snapshot && (state->facts.is_multivariant || state->facts.ended) && renew_at_ <= base::unix_seconds(channel_.services().clock.wall_now());
}

/// Of links that are made now, for what lasts so long and is loaded once.
std::int64_t SourceFeed::expiry(std::chrono::milliseconds span) const {
  return contracts::link_expiry(channel_.services().clock.wall_now() + span, channel_.config().link_lifetime);
}

// Who loads an ended playlist does not load it again, so its links must last as long as it does: new ones are made when the old ones would last
// too briefly for a newcomer. Who saw it live may load it once more at its end, and must find what was listed; that viewer is gone before.
void SourceFeed::renew_links_of_ended() {
  const auto& config = channel_.config();
  const auto& clock = channel_.services().clock;
  const auto links = channel_.timeline().links(track());
  if (!links) return;
  const auto wall = base::unix_seconds(clock.wall_now());
  const auto used_for = channel_.links_used_for(links->span);
  const auto due = [&](const Timeline::Links& of) {
    auto at = of.oldest - std::chrono::ceil<std::chrono::seconds>(of.span + config.link_lifetime / 2).count();
    if (of.live_until) at = std::max(at, wall + std::chrono::ceil<std::chrono::seconds>(*of.live_until + used_for - clock.steady_now()).count());
    return at;
  };
  renew_at_ = due(*links);
  if (renew_at_ > wall) return;
  channel_.holds().keep(links->oldest, clock.steady_now() + used_for);
  channel_.timeline().renew(track(), expiry(links->span), pace_kbps());
  renew_at_ = due(*channel_.timeline().links(track()));
}

/// Rounded up: a small bandwidth is paced, too.
std::int64_t SourceFeed::pace_kbps() const {
  return static_cast<std::int64_t>(std::ceil(channel_.config().pace_factor * static_cast<double>(identity_.bandwidth_bps) / 1'000));
}

base::SteadyTime SourceFeed::now() const { return channel_.services().clock.steady_now(); }

std::chrono::milliseconds SourceFeed::stale_time() const { return channel_.config().stale_time; }

void SourceFeed::schedule(base::SteadyTime when) {
  const auto delay = std::max(base::SteadyTime::duration{0}, when - now());
  timer_ = channel_.worker().loop.after(std::chrono::ceil<std::chrono::milliseconds>(delay), [this] { source_.tick(); });
}

net::FetchRequest SourceFeed::request_at(std::size_t origin) const {
  auto request = request_to(identity_.url);
  if (origin > 0) {
    const auto uri = http::parse_as_written(identity_.url);
    const auto at_backups = uri ? contracts::backup_uris(channel_.making().origins, *uri) : std::vector<http::Uri>{};
    if (origin <= at_backups.size()) request.url = at_backups[origin - 1].text();
  }
  return request;
}

net::FetchRequest SourceFeed::request_to(std::string url) const {
  net::FetchRequest request;
  request.url = std::move(url);
  request.destinations.allowed_origins = contracts::allowed_origins(channel_.making().origins);
  request.destinations.allow_special_addresses = channel_.settings().allow_special_addresses;
  request.deadlines = channel_.settings().deadlines;
  request.max_redirects = kMaxHops;
  request.max_body_bytes = channel_.config().playlist_limits.max_bytes;
  request.accept_gzip = true;
  return request;
}

std::unique_ptr<net::Fetch> SourceFeed::fetch(const http::Headers& validators, std::function<void(base::Result<net::WholeAnswer>)> on_done) {
  auto& origins = channel_.origins();
  if (const auto due = origins.probe_due(now())) probe(*due);
  asked_ = origins.choice();
  auto request = request_at(asked_);
  // Equal text would be answered with 304, and the links of the last reading would go on to their end.
  if (needs_new_links()) last_text_.clear();
  else if (read_from_ == asked_) request.headers = validators;   // another origin's dates and tags mean nothing here
  return channel_.worker().client.get_whole(std::move(request), std::move(on_done));
}

// Whether an origin that was left is well again is found out beside what viewers wait for.
void SourceFeed::probe(std::size_t origin) {
  probe_ = channel_.worker().client.get_whole(request_at(origin), [this, origin](base::Result<net::WholeAnswer> answer) {
    const auto finished = std::move(probe_);
    if (!answer) return origin_failed(origin, SourceOrigins::How::at_once, answer.error().text);
    if (answer->head.status != 200 || !answer->body.starts_with("#EXTM3U"))
      return origin_failed(origin, SourceOrigins::How::at_once, "it answers, but with no playlist");
    const auto frozen = frozen_.find(origin);
    if (frozen != frozen_.end() && frozen->second == answer->body) return origin_failed(origin, SourceOrigins::How::slowly, "its playlist stands still");
    frozen_.erase(origin);
    if (channel_.origins().succeeded(origin)) channel_.on_origin_changed(origin, true, "");
  });
}

void SourceFeed::origin_failed(std::size_t origin, SourceOrigins::How how, std::string_view why) {
  if (channel_.origins().count() > 1 && channel_.origins().failed(origin, how, now())) channel_.on_origin_changed(origin, false, why);
}

void SourceFeed::read(net::WholeAnswer answer, std::function<void(base::Result<Source::Reading>)> on_read) {
  if (slot_->state.get()->snapshot && answer.body == last_text_) return on_read(Source::Reading{nullptr, {}, "unchanged"});
  const bool was_looking = media_.is_looking();
  auto reading = understand(answer);
  if (reading && reading->snapshot) {
    last_text_ = std::move(answer.body);
    read_from_ = asked_;
  }
  const bool is_held = reading && reading->snapshot && !was_looking && media_.is_looking() && media_.is_first_look();
  if (!is_held) return finish_reading(std::move(reading), std::move(on_read));
  held_ = [this, reading = std::move(reading), on_read = std::move(on_read)]() mutable {
    reading->snapshot = only_media_snapshot();
    finish_reading(std::move(reading), std::move(on_read));
  };
  hold_over_ = channel_.worker().loop.after(channel_.settings().media_look, [this] { release_reading(); });
}

void SourceFeed::finish_reading(base::Result<Source::Reading> reading, std::function<void(base::Result<Source::Reading>)> on_read) {
  const bool is_saved = !reading || channel_.is_generation_saved();
  const auto finish = [this, reading = std::move(reading), on_read = std::move(on_read)] {
    announce(reading);
    on_read(reading);
  };
  if (is_saved) return finish();
  channel_.save_generation([finish, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) finish();
  });
}

void SourceFeed::release_reading() {
  hold_over_ = {};
  if (const auto held = std::exchange(held_, nullptr)) held();
}

/// New segments are listed for a node's viewers once it fills them, or after a while.
void SourceFeed::announce(const base::Result<Source::Reading>& reading) {
  if (!reading || !reading->snapshot || reading->facts.is_multivariant) return;
  const auto idle = std::max<std::chrono::milliseconds>(3 * reading->facts.target_duration, std::chrono::milliseconds{3'000});
  announcer_.announce(newest_, idle, slot_->state.get()->snapshot);
}

void SourceFeed::drain() {
  announcer_.end();
  source_.drain();
}

void SourceFeed::close(const base::Error& error) {
  announcer_.end();
  media_.end();
  held_ = nullptr;
  hold_over_ = {};
  source_.close(error);
}

base::Result<Source::Reading> SourceFeed::understand(const net::WholeAnswer& answer) {
  hls::Context context{channel_.config().playlist_limits, identity_.variables, answer.head.final_uri.query, channel_.config().strict};
  auto playlist = hls::parse(answer.body, context);
  if (!playlist) return tl::unexpected(playlist.error());
  channel_.on_flaws(identity_.path, playlist->flaws);
  if (playlist->multivariant) {
    if (!identity_.may_be_multivariant) return tl::unexpected(refused("a multivariant playlist where a media playlist belongs"));
    return read_multivariant(*playlist, answer.head.final_uri);
  }
  const bool is_to_offer = channel_.config().blocking_reload && !playlist->can_block_reload && !playlist->ended && !playlist->vod;
  if (is_to_offer) {
    auto offering = hls::parse(hls::write(*playlist, {}, {.offer_blocking_reload = true}), context);
    if (offering) playlist = std::move(offering);   // else that line was too much for the limits
  }
  return identity_.may_be_media ? read_media(*playlist, answer.head.final_uri) : read_only_media(*playlist, answer.head.final_uri);
}

base::Result<Source::Reading> SourceFeed::read_media(const hls::Playlist& source, const http::Uri& base) {
  const auto& clock = channel_.services().clock;
  const auto& config = channel_.config();
  const auto wall = clock.wall_now();
  if (auto fine = SourceLinks::check(source, channel_.making().origins, base, channel_.config().playlist_limits); !fine) return tl::unexpected(fine.error());
  auto seen = channel_.timeline().observe(track(), source, expiry(source.ended ? span_of(source) : 0ms), clock.steady_now(), config.playlist_limits, asked_,
                                          pace_kbps());
  if (!seen) return tl::unexpected(seen.error());
  if (seen->verdict == Timeline::Verdict::restarted) channel_.on_restarted(identity_.path);
  if (!seen->playlist) return Source::Reading{nullptr, {}, seen->verdict == Timeline::Verdict::unconfirmed ? "unconfirmed" : "older_copy"};
  const auto& shown = *seen->playlist;
  auto& timeline = channel_.timeline();
  // While the origins name alike, all links are those of the first one: a cache node finds its own way to a backup.
  const bool names_alike = timeline.generation(shown.segments.back().generation).origin == 0;
  const auto named_at = names_alike ? contracts::at_first_origin(channel_.making().origins, base) : base;
  if (shown.ended) renew_links_of_ended();
  if (const auto listed = timeline.links(track())) {
    slot_->used_for_ms = channel_.links_used_for(listed->span).count();
    slot_->oldest_link = listed->oldest;
  }
  const LinkPlace place{identity_.path, track(), named_at, &channel_.timeline(), "", 0, wall, config.playlist_limits};
  auto named = links_.named(shown, channel_.making(), place);
  if (identity_.depth < kDeepest) channel_.name_playlists(track(), named, identity_.depth + 1, source.variables);
  auto linked = links_.link(shown, channel_.making(), place, named);
  if (!linked) return tl::unexpected(linked.error());
  channel_.save_track(track());
  newest_ = newest_targets(shown, *linked);
  Source::Reading reading;
  reading.snapshot = std::make_shared<MediaSnapshot>(seen->playlist, std::move(*linked), wall, channel_.metrics().renders, channel_.settings().texts, announcer_.audience(),
                                                     announcer_.gate());
  auto& facts = reading.facts;
  facts.target_duration = shown.target_duration;
  facts.part_target = std::chrono::ceil<std::chrono::milliseconds>(shown.part_target.value_or(std::chrono::microseconds{0}));
  facts.can_block_reload = shown.can_block_reload;
  facts.ended = shown.ended;
  facts.end_msn = shown.end_msn();
  facts.trailing_parts = shown.trailing_parts;
  facts.epoch = channel_.timeline().generation(shown.segments.back().generation).epoch;
  reading.word = seen->verdict == Timeline::Verdict::restarted ? "restarted" : "new";
  return reading;
}

base::Result<Source::Reading> SourceFeed::read_multivariant(const hls::Playlist& source, const http::Uri& base) {
  const auto wall = channel_.services().clock.wall_now();
  const LinkPlace place{identity_.path, "", contracts::at_first_origin(channel_.making().origins, base), nullptr, channel_.epoch(), expiry(0ms), wall,
                        channel_.config().playlist_limits};
  auto named = links_.named(source, channel_.making(), place);
  channel_.name_playlists(track(), named, identity_.depth + 1, source.variables);
  auto linked = links_.link(source, channel_.making(), place, named);
  if (!linked) return tl::unexpected(linked.error());
  renew_at_ = place.expires - std::chrono::floor<std::chrono::seconds>(channel_.config().link_lifetime / 2).count();
  Source::Reading reading;
  reading.snapshot = std::make_shared<MultivariantSnapshot>(source, *linked, wall);
  reading.facts.is_multivariant = true;
  reading.word = "new";
  return reading;
}

// The source is a media playlist: viewers get a multivariant playlist of one, which names it.
base::Result<Source::Reading> SourceFeed::read_only_media(const hls::Playlist& source, const http::Uri& base) {
  if (auto fine = SourceLinks::check(source, channel_.making().origins, base, channel_.config().playlist_limits); !fine) return tl::unexpected(fine.error());
  renew_at_ = std::numeric_limits<std::int64_t>::max();   // it has no links
  if (channel_.settings().media_look > 0ms) look_into_media(source, base);
  channel_.name_only_media(source.variables, said_variant().bandwidth_bps);
  Source::Reading reading;
  reading.snapshot = only_media_snapshot();
  reading.facts.is_multivariant = true;
  reading.word = "new";
  return reading;
}

OnlyVariant SourceFeed::said_variant() const {
  const auto said = channel_.config().bandwidth_bps, unsaid = contracts::Channel{}.bandwidth_bps;
  return media_.variant(said == unsaid ? std::nullopt : std::optional(said), unsaid);
}

SnapshotPtr SourceFeed::only_media_snapshot() const { return std::make_shared<MultivariantSnapshot>(said_variant(), channel_.services().clock.wall_now()); }

// Segments lie at known origins only (check()), and the request's destinations are those of every fetch.
void SourceFeed::look_into_media(const hls::Playlist& source, const http::Uri& base) {
  media_.look(channel_.epoch(), source, base, request_to(""), now(),
              [this](KnownMedia::Result result, const std::optional<base::Error>& error) { on_looked(result, error); });
  if (const auto next = media_.next_look_in()) renew_at_ = base::unix_seconds(channel_.services().clock.wall_now()) + next->count();
}

void SourceFeed::on_looked(KnownMedia::Result result, const std::optional<base::Error>& error) {
  static constexpr std::string_view kWords[] = {"found", "not_understood", "failed"};
  const auto word = kWords[static_cast<std::size_t>(result)];
  channel_.metrics().looked_into_media(word);
  if (result != KnownMedia::Result::found && std::exchange(media_generation_, channel_.epoch()) != channel_.epoch())
    channel_.services().log.warning("balancer", "source_media_unknown",
                                    {{"channel", channel_.config().id}, {"result", word}, {"error", error ? error->text : "its codecs are not understood"}});
  if (held_) return release_reading();
  if (result != KnownMedia::Result::failed) renew_at_ = 0;   // the next refresh says it, also when the source's text stays
}

void SourceFeed::on_refreshed(std::string_view word) {
  channel_.metrics().refreshed(word);
  if (channel_.origins().succeeded(asked_)) channel_.on_origin_changed(asked_, true, "");
}

void SourceFeed::on_failed(const base::Error& error, std::int64_t in_a_row) {
  channel_.metrics().refreshed("failed");
  channel_.metrics().failed(error);
  origin_failed(asked_, error.kind == base::ErrorKind::timeout ? SourceOrigins::How::slowly : SourceOrigins::How::at_once, error.text);
  // One line when it begins and then one in a while: a source that is away for an hour does not fill the log.
  constexpr std::int64_t kEvery = 60;
  const bool by_origin = error.fault == base::Fault::origin;
  if (in_a_row % kEvery == 1)
    channel_.services().log.warning("balancer", "source_failed",
                                    {{"channel", channel_.config().id}, {"path", identity_.path}, {"reason", base::word(error.kind)},
                                     {"fault", by_origin ? "origin" : "tribune"}, {"error", error.text}, {"in_a_row", in_a_row}});
}

void SourceFeed::on_recovered(std::int64_t failures) {
  channel_.services().log.info("balancer", "source_recovered",
                               {{"channel", channel_.config().id}, {"path", identity_.path}, {"failures", failures}});
}

void SourceFeed::on_stalled(std::chrono::milliseconds unchanged) {
  channel_.metrics().refreshed("stalled");
  if (channel_.origins().count() > 1) frozen_[asked_] = last_text_;
  origin_failed(asked_, SourceOrigins::How::slowly, "its playlist stands still");
  channel_.services().log.warning("balancer", "source_stalled",
                                  {{"channel", channel_.config().id}, {"path", identity_.path}, {"unchanged_ms", std::int64_t{unchanged.count()}}});
}

}  // namespace tribune::balancer
