#include "balancer/sources/playlist_refresher.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "balancer/sources/rendering.h"
#include "balancer/sources/source_channel.h"

namespace tribune::balancer {

using namespace std::chrono_literals;

namespace {

constexpr int kDeepest =
    3;  // a media playlist, the multivariant playlist of an interstitial that it names, and the children of that

/// The segments, parts and hints at the end of a playlist and what they need, as targets at a node, oldest first.
std::vector<std::string> newest_targets(const hls::Playlist& playlist, const std::vector<SourceLinkPtr>& links) {
  std::vector<std::string> newest;
  for (auto i = playlist.uris.size(); i-- > 0 && newest.size() < kMaxAnnounced;) {
    const auto& link = links[i];
    if (link && !link->target.empty() && std::find(newest.begin(), newest.end(), link->target) == newest.end())
      newest.push_back(link->target);
  }
  std::reverse(newest.begin(), newest.end());
  return newest;
}

base::Error refused_playlist(std::string text) {
  return {base::ErrorKind::invalid_input, base::Fault::origin, true, std::move(text)};
}

}  // namespace

PlaylistRefresher::PlaylistRefresher(SourceChannel& channel, PlaylistIdentity identity, SourceLinks former)
    : channel_(channel),
      identity_(std::move(identity)),
      links_(std::move(former)),
      media_(channel.worker().client, channel.worker().loop),
      announcer_(channel.push_handler(), channel.worker().loop, channel.services().clock, channel.services().metrics),
      source_(*this, slot_, channel.settings()) {}

PlaylistRefresher::~PlaylistRefresher() = default;

std::string PlaylistRefresher::track() const {
  return identity_.query.empty() ? identity_.path : identity_.path + "?" + identity_.query;
}

// A playlist that does not change any more is parsed again before its links expire. The links of a live playlist are
// made as its segments arrive.
bool PlaylistRefresher::needs_new_links() const {
  const auto state = slot_->state.get();
  return state->snapshot && (state->facts.is_multivariant || state->facts.ended) &&
         renew_at_ <= base::unix_seconds(channel_.services().clock.wall_now());
}

/// The expiry of links made now for content of that duration that a player loads once.
std::int64_t PlaylistRefresher::expiry(std::chrono::milliseconds span) const {
  return contracts::link_expiry(channel_.services().clock.wall_now() + span, channel_.config().link_lifetime);
}

// A player loads an ended playlist once, so its links must last as long as its content: they are renewed when they
// would expire too early for a new viewer. A viewer that followed the live playlist may load it once more at its end
// and needs the links that were listed, so they are not renewed before that viewer has finished.
void PlaylistRefresher::renew_links_of_ended() {
  const auto& config = channel_.config();
  const auto& clock = channel_.services().clock;
  const auto links = channel_.timeline().links(track());
  if (!links) return;
  const auto wall = base::unix_seconds(clock.wall_now());
  const auto used_for = channel_.links_used_for(links->span);
  const auto due = [&](const Timeline::Links& of) {
    auto at = of.oldest - std::chrono::ceil<std::chrono::seconds>(of.span + config.link_lifetime / 2).count();
    if (of.live_until)
      at = std::max(
          at, wall + std::chrono::ceil<std::chrono::seconds>(*of.live_until + used_for - clock.steady_now()).count());
    return at;
  };
  renew_at_ = due(*links);
  if (renew_at_ > wall) return;
  channel_.holds().add(links->oldest, clock.steady_now() + used_for);
  channel_.timeline().renew(track(), expiry(links->span), pace_kbps());
  renew_at_ = due(*channel_.timeline().links(track()));
}

/// The pace is rounded up, so that a small bandwidth is paced, too.
std::int64_t PlaylistRefresher::pace_kbps() const {
  return static_cast<std::int64_t>(
      std::ceil(channel_.config().pace_factor * static_cast<double>(identity_.bandwidth_bps) / 1'000));
}

base::SteadyTime PlaylistRefresher::now() const { return channel_.services().clock.steady_now(); }

std::chrono::milliseconds PlaylistRefresher::stale_time() const { return channel_.config().stale_time; }

base::SteadyTime PlaylistRefresher::links_usable_until() const {
  constexpr std::chrono::seconds kLongest = std::chrono::hours{24 * 30};
  const auto links = channel_.timeline().links(track());
  if (!links) return now();
  const auto until = std::max(renew_at_, links->oldest - std::chrono::ceil<std::chrono::seconds>(links->span).count());
  const std::chrono::seconds left{until - base::unix_seconds(channel_.services().clock.wall_now())};
  return now() + std::clamp(left, std::chrono::seconds{0}, kLongest);
}

/// The text of the last refresh is parsed again: it has not changed, and the links are made when it is read.
std::optional<Source::Refresh> PlaylistRefresher::with_new_links() {
  const auto state = slot_->state.get();
  if (!state->snapshot || !state->facts.ended || !needs_new_links() || !text_origin_) return std::nullopt;
  net::WholeAnswer last;
  last.body = last_text_;
  last.head.final_uri = last_uri_;
  request_origin_ = *text_origin_;
  auto refresh = parse_playlist(last);
  if (!refresh || !refresh->snapshot) return std::nullopt;
  return *refresh;
}

void PlaylistRefresher::schedule(base::SteadyTime when) {
  const auto delay = std::max(base::SteadyTime::duration{0}, when - now());
  timer_ =
      channel_.worker().loop.after(std::chrono::ceil<std::chrono::milliseconds>(delay), [this] { source_.tick(); });
}

std::unique_ptr<net::Fetch> PlaylistRefresher::fetch(const http::Headers& validators,
                                                     std::function<void(base::Result<net::WholeAnswer>)> on_done) {
  auto& origins = channel_.origins();
  if (const auto due = origins.probe_due(now())) probe(*due);
  request_origin_ = origins.choice();
  auto request = request_at(request_origin_);
  // With 304 or equal text the links of the last refresh would expire, and an end would be held for ever.
  const bool is_end_due = end_hold_.is_holding() && !EndHold(end_hold_).holds(end_facts(request_origin_), now());
  accepts_equal_text_ = !needs_new_links() && !is_end_due;
  if (accepts_equal_text_ && text_origin_ == request_origin_)
    request.headers = validators;  // the validators of another origin do not apply
  return channel_.worker().client.get_whole(std::move(request), std::move(on_done));
}

void PlaylistRefresher::parse(net::WholeAnswer answer, std::function<void(base::Result<Source::Refresh>)> on_parsed) {
  if (channel_.awaits_former_numbers())
    return channel_.when_numbering(
        [this, alive = std::weak_ptr<int>(alive_), answer = std::move(answer), on_parsed = std::move(on_parsed)] {
          if (!alive.expired()) parse(answer, on_parsed);
        });
  if (slot_->state.get()->snapshot && accepts_equal_text_ && answer.body == last_text_)
    return on_parsed(Source::Refresh{nullptr, {}, "unchanged"});
  const bool was_probing = media_.is_probing();
  auto refresh = parse_playlist(answer);
  if (refresh && refresh->snapshot) {
    last_text_ = std::move(answer.body);
    last_uri_ = std::move(answer.head.final_uri);
    text_origin_ = request_origin_;
  }
  const bool is_held = refresh && refresh->snapshot && !was_probing && media_.is_probing() && media_.is_first_probe();
  if (!is_held) return finish_refresh(std::move(refresh), std::move(on_parsed));
  held_refresh_ = [this, refresh = std::move(refresh), on_parsed = std::move(on_parsed)]() mutable {
    refresh->snapshot = only_media_snapshot();
    finish_refresh(std::move(refresh), std::move(on_parsed));
  };
  hold_timer_ = channel_.worker().loop.after(channel_.settings().media_look, [this] { release_held_refresh(); });
}

void PlaylistRefresher::finish_refresh(base::Result<Source::Refresh> refresh,
                                       std::function<void(base::Result<Source::Refresh>)> on_parsed) {
  const bool is_saved = !refresh || channel_.is_generation_saved();
  const auto finish = [this, refresh = std::move(refresh), on_parsed = std::move(on_parsed)] {
    announce(refresh);
    on_parsed(refresh);
  };
  if (is_saved) return finish();
  channel_.save_generation([finish, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) finish();
  });
}

void PlaylistRefresher::release_held_refresh() {
  hold_timer_ = {};
  if (const auto held = std::exchange(held_refresh_, nullptr)) held();
}

/// New segments are listed for a node's viewers once the node fills them, or after publish_delay.
void PlaylistRefresher::announce(const base::Result<Source::Refresh>& refresh) {
  if (!refresh || !refresh->snapshot || refresh->facts.is_multivariant) return;
  const auto idle =
      std::max<std::chrono::milliseconds>(3 * refresh->facts.target_duration, std::chrono::milliseconds{3'000});
  announcer_.announce(newest_, idle, slot_->state.get()->snapshot);
}

std::optional<SourceLinks> PlaylistRefresher::take_links() {
  const auto state = slot_->state.get();
  if (!state->snapshot || state->facts.is_multivariant) return std::nullopt;
  return std::move(links_);
}

void PlaylistRefresher::drain() {
  announcer_.end();
  source_.drain();
}

void PlaylistRefresher::close(const base::Error& error) {
  announcer_.end();
  media_.end();
  comparison_.reset();
  held_refresh_ = nullptr;
  hold_timer_ = {};
  source_.close(error);
}

base::Result<Source::Refresh> PlaylistRefresher::parse_playlist(const net::WholeAnswer& answer) {
  const auto context = context_of(answer);
  auto playlist = hls::parse(answer.body, context);
  if (!playlist) return tl::unexpected(playlist.error());
  channel_.on_flaws(identity_.path, playlist->flaws);
  if (playlist->multivariant) {
    if (!identity_.may_be_multivariant)
      return tl::unexpected(refused_playlist("a multivariant playlist instead of a media playlist"));
    return read_multivariant(*playlist, answer.head.final_uri);
  }
  if (!playlist->ended) {
    end_hold_.release();
  } else if (holds_end(*playlist)) {
    playlist = hls::parse(hls::write(*playlist, {}, {.without_end = true}), context);
    if (!playlist) return tl::unexpected(playlist.error());
  }
  const bool is_to_offer =
      channel_.config().blocking_reload && !playlist->can_block_reload && !playlist->ended && !playlist->vod;
  if (is_to_offer) {
    auto offering = hls::parse(hls::write(*playlist, {}, {.offer_blocking_reload = true}), context);
    if (offering) playlist = std::move(offering);  // otherwise the added line exceeds the limits
  }
  return identity_.may_be_media ? read_media(*playlist, answer.head.final_uri)
                                : read_only_media(*playlist, answer.head.final_uri);
}

/// Assets end, and so does what was never live.
bool PlaylistRefresher::was_live() const {
  return identity_.depth < kDeepest && !identity_.may_be_multivariant && channel_.timeline().is_live(track());
}

EndFacts PlaylistRefresher::end_facts(std::size_t origin) const {
  return {was_live(), channel_.origins().is_other_healthy(origin), channel_.is_ended_by_operator(),
          channel_.config().hold_end};
}

bool PlaylistRefresher::holds_end(const hls::Playlist& source) {
  const bool is_first = !end_hold_.is_holding();
  const bool holds = end_hold_.holds(end_facts(request_origin_), now());
  if (holds && is_first) channel_.on_end_held(identity_.path, source.end_msn());
  return holds;
}

/// While all origins use the same names, all links name the first one: a cache node finds a backup itself.
http::Uri PlaylistRefresher::link_base(const hls::Playlist& shown, const http::Uri& base) const {
  const bool names_alike = channel_.timeline().generation(shown.segments.back().generation).origin == 0 &&
                           channel_.backup_trust().is_trusted(request_origin_);
  return names_alike ? contracts::at_first_origin(channel_.making().origins, base) : base;
}

base::Result<Source::Refresh> PlaylistRefresher::read_media(const hls::Playlist& source, const http::Uri& base) {
  const auto& clock = channel_.services().clock;
  const auto& config = channel_.config();
  const auto wall = clock.wall_now();
  if (auto fine = SourceLinks::check(source, channel_.making().origins, base, channel_.config().playlist_limits); !fine)
    return tl::unexpected(fine.error());
  if (request_origin_ > 0) note_comparison(request_origin_, source, base);
  auto seen = channel_.timeline().observe(track(), source, expiry(source.ended ? span_of(source) : 0ms),
                                          clock.steady_now(), config.playlist_limits, request_origin_, pace_kbps());
  if (!seen) return tl::unexpected(seen.error());
  note_source(*seen, source, base);
  if (seen->verdict == Timeline::Verdict::restarted) channel_.on_restarted(identity_.path);
  if (!seen->playlist)
    return Source::Refresh{
        nullptr, {}, seen->verdict == Timeline::Verdict::unconfirmed ? "unconfirmed" : "older_copy", {}, false};
  const auto& shown = *seen->playlist;
  if (shown.ended) renew_links_of_ended();
  if (const auto listed = channel_.timeline().links(track())) {
    slot_->used_for_ms = channel_.links_used_for(listed->span).count();
    slot_->oldest_link = listed->oldest;
    slot_->listed_for_s = shown.ended         ? 0
                          : listed->keeps_all ? kNeverUnlisted
                                              : std::chrono::ceil<std::chrono::seconds>(listed->span).count();
    channel_.holds().listed_again(track());
  }
  const LinkPlace place{identity_.path,        track(), link_base(shown, base), &channel_.timeline(), "", 0, wall,
                        config.playlist_limits};
  auto named = links_.named(shown, channel_.making(), place);
  if (identity_.depth < kDeepest) channel_.register_playlists(track(), named, identity_.depth + 1, source.variables);
  auto linked = links_.link(shown, channel_.making(), place, named);
  if (!linked) return tl::unexpected(linked.error());
  channel_.save_track(track());
  newest_ = newest_targets(shown, *linked);
  Source::Refresh refresh;
  // The playlist that names a variant states its bandwidth, and that of a rendition none.
  const bool is_variant = identity_.bandwidth_bps > 0 || identity_.path == kOnlyMediaPath;
  refresh.snapshot = std::make_shared<MediaSnapshot>(
      seen->playlist, std::move(*linked), wall, channel_.metrics().renders, channel_.settings().rendered, is_variant);
  refresh.publication = announcer_.publication();
  auto& facts = refresh.facts;
  facts.target_duration = shown.target_duration;
  facts.part_target =
      std::chrono::ceil<std::chrono::milliseconds>(shown.part_target.value_or(std::chrono::microseconds{0}));
  facts.can_block_reload = shown.can_block_reload;
  facts.ended = shown.ended;
  facts.end_msn = shown.end_msn();
  facts.trailing_parts = shown.trailing_parts;
  facts.epoch = channel_.timeline().generation(shown.segments.back().generation).epoch;
  refresh.result = seen->verdict == Timeline::Verdict::restarted ? "restarted" : "new";
  return refresh;
}

base::Result<Source::Refresh> PlaylistRefresher::read_multivariant(const hls::Playlist& source, const http::Uri& base) {
  const auto wall = channel_.services().clock.wall_now();
  LinkPlace place{identity_.path,
                  "",
                  contracts::at_first_origin(channel_.making().origins, base),
                  nullptr,
                  channel_.epoch(),
                  expiry(0ms),
                  wall,
                  channel_.config().playlist_limits};
  auto named = links_.named(source, channel_.making(), place);
  channel_.register_playlists(track(), named, identity_.depth + 1, source.variables);
  if (!channel_.backup_trust().is_trusted(request_origin_)) place.base = base;
  auto linked = links_.link(source, channel_.making(), place, named);
  if (!linked) return tl::unexpected(linked.error());
  renew_at_ = place.expires - std::chrono::floor<std::chrono::seconds>(channel_.config().link_lifetime / 2).count();
  Source::Refresh refresh;
  refresh.snapshot = std::make_shared<MultivariantSnapshot>(source, *linked, wall);
  refresh.facts.is_multivariant = true;
  refresh.result = "new";
  return refresh;
}

// The source is a media playlist: viewers get a multivariant playlist that names it.
base::Result<Source::Refresh> PlaylistRefresher::read_only_media(const hls::Playlist& source, const http::Uri& base) {
  if (auto fine = SourceLinks::check(source, channel_.making().origins, base, channel_.config().playlist_limits); !fine)
    return tl::unexpected(fine.error());
  renew_at_ = std::numeric_limits<std::int64_t>::max();  // it has no links
  if (channel_.settings().media_look > 0ms) probe_media(source, base);
  channel_.register_only_media(source.variables, announced_variant().bandwidth_bps);
  Source::Refresh refresh;
  refresh.snapshot = only_media_snapshot();
  refresh.facts.is_multivariant = true;
  refresh.result = "new";
  return refresh;
}

OnlyVariant PlaylistRefresher::announced_variant() const {
  const auto configured = channel_.config().bandwidth_bps, default_bps = contracts::Channel{}.bandwidth_bps;
  return media_.variant(configured == default_bps ? std::nullopt : std::optional(configured), default_bps);
}

SnapshotPtr PlaylistRefresher::only_media_snapshot() const {
  return std::make_shared<MultivariantSnapshot>(announced_variant(), channel_.services().clock.wall_now());
}

// check() ensures that segments are at known origins, and the request has the destinations of every fetch.
void PlaylistRefresher::probe_media(const hls::Playlist& source, const http::Uri& base) {
  media_.probe_if_due(
      channel_.epoch(), source, base, request_to(""), now(),
      [this](KnownMedia::Result result, const std::optional<base::Error>& error) { on_media_probed(result, error); });
  if (const auto next = media_.next_probe_in())
    renew_at_ = base::unix_seconds(channel_.services().clock.wall_now()) + next->count();
}

void PlaylistRefresher::on_media_probed(KnownMedia::Result result, const std::optional<base::Error>& error) {
  static constexpr std::string_view kWords[] = {"found", "not_understood", "failed"};
  const auto word = kWords[static_cast<std::size_t>(result)];
  channel_.metrics().media_probed(word);
  if (result != KnownMedia::Result::found && std::exchange(media_generation_, channel_.epoch()) != channel_.epoch())
    channel_.services().log.warning("balancer", "source_media_unknown",
                                    {{"channel", channel_.config().id},
                                     {"result", word},
                                     {"error", error ? error->text : "the codecs of the media are unknown"}});
  if (held_refresh_) return release_held_refresh();
  if (result != KnownMedia::Result::failed)
    renew_at_ = 0;  // the next refresh states it, even when the source's text is unchanged
}

void PlaylistRefresher::on_refreshed(std::string_view result) {
  channel_.metrics().refreshed(result);
  if (end_hold_.is_holding()) {
    if (channel_.origins().count() > 1) stalled_texts_[request_origin_] = last_text_;
    return origin_failed(request_origin_, SourceOrigins::Failure::delayed, "its playlist has ended");
  }
  if (channel_.origins().succeeded(request_origin_)) channel_.on_origin_changed(request_origin_, true, "");
  if (request_origin_ == 0) compare_with_backup();
}

void PlaylistRefresher::on_failed(const base::Error& error, std::int64_t in_a_row) {
  channel_.metrics().refreshed("failed");
  channel_.metrics().failed(error);
  origin_failed(
      request_origin_,
      error.kind == base::ErrorKind::timeout ? SourceOrigins::Failure::delayed : SourceOrigins::Failure::immediate,
      error.text);
  // One line at the first failure and one for every 60 that follow, so that a long outage does not fill the log.
  constexpr std::int64_t kLogEvery = 60;
  const bool by_origin = error.fault == base::Fault::origin;
  if (in_a_row % kLogEvery == 1)
    channel_.services().log.warning("balancer", "source_failed",
                                    {{"channel", channel_.config().id},
                                     {"path", identity_.path},
                                     {"reason", base::to_string(error.kind)},
                                     {"fault", by_origin ? "origin" : "tribune"},
                                     {"error", error.text},
                                     {"in_a_row", in_a_row}});
}

void PlaylistRefresher::on_recovered(std::int64_t failures) {
  channel_.services().log.info("balancer", "source_recovered",
                               {{"channel", channel_.config().id}, {"path", identity_.path}, {"failures", failures}});
}

void PlaylistRefresher::on_stalled(std::chrono::milliseconds unchanged) {
  channel_.metrics().refreshed("stalled");
  if (channel_.origins().count() > 1) stalled_texts_[request_origin_] = last_text_;
  origin_failed(request_origin_, SourceOrigins::Failure::delayed, "the playlist does not change");
  channel_.services().log.warning(
      "balancer", "source_stalled",
      {{"channel", channel_.config().id}, {"path", identity_.path}, {"unchanged_ms", std::int64_t{unchanged.count()}}});
}

}  // namespace tribune::balancer
