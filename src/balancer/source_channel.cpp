#include "balancer/source_channel.h"

#include <algorithm>

#include "base/ids.h"

namespace tribune::balancer {
namespace {

constexpr std::size_t kEpochCharacters = 8;
constexpr std::chrono::seconds kFreshEnough{2};   // an unknown path does not fetch the multivariant playlist again so soon

base::Error unknown_playlist() { return {base::ErrorKind::not_found, base::Fault::client, false, "no such playlist in this channel"}; }

bool leads_to_media(hls::UriKind kind) { return kind != hls::UriKind::asset_uri; }

}  // namespace

std::string playlist_key(std::string_view path, std::string_view query) {
  return query.empty() ? std::string(path) : std::string(path) + "?" + std::string(query);
}

SourceChannel::SourceChannel(runtime::Services& services, runtime::Worker& worker, store::Store& store, const SourceSettings& settings,
                             std::shared_ptr<ChannelSlot> slot, NewsDesk* news)
    : services_(services), worker_(worker), store_(store), settings_(settings), slot_(std::move(slot)), news_(news), metrics_(services.metrics, slot_->id),
      timeline_([] { return base::random_id(kEpochCharacters); }) {}

SourceChannel::~SourceChannel() = default;

void SourceChannel::load(const TimelineRecords& records) {
  const auto now = services_.clock.steady_now();
  const auto wall = services_.clock.wall_now();
  for (const auto& [key, record] : records)
    if (key.empty()) timeline_.load_channel(record, now, wall);
  for (const auto& [key, record] : records)
    if (!key.empty()) timeline_.load_track(key, record, now, wall);
  saved_epoch_ = timeline_.current().epoch;
}

void SourceChannel::configure(const contracts::Channel& config, std::shared_ptr<const base::KeyRing> keys) {
  const bool same_source = config.source == config_.source && config.extra_origins == config_.extra_origins && config.backup_origins == config_.backup_origins;
  config_ = config;
  making_ = {config.id, contracts::origin_set(config.source, config.extra_origins), std::move(keys)};
  making_.origins.backups = config.backup_origins;
  if (source_origins_.count() != 1 + config.backup_origins.size() || !same_source) source_origins_ = SourceOrigins(1 + config.backup_origins.size());
  if (!same_source) logged_flaws_.clear();
  if (!same_source || playlists_.empty()) begin_anew();
}

void SourceChannel::begin_anew() {
  for (auto& [key, entry] : playlists_) {
    if (!entry.feed) continue;
    entry.feed->close({base::ErrorKind::unavailable, base::Fault::tribune, true, "the channel has a new source"});
    discard(std::move(entry.feed));
  }
  playlists_.clear();
  FeedIdentity root;
  root.path = kIndexPath;
  root.url = config_.source;
  root.may_be_multivariant = true;
  root.may_be_media = false;
  add(std::string(kIndexPath), std::move(root));
  publish();
}

// WHY: not destroyed at once, for this may run inside a callback of the feed itself.
void SourceChannel::discard(std::unique_ptr<SourceFeed> feed) {
  discarded_.push_back(std::move(feed));
  worker_.loop.post([this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) discarded_.clear();
  });
}

SourceChannel::Entry& SourceChannel::add(const std::string& key, FeedIdentity identity) {
  auto& entry = playlists_[key];
  entry.identity = std::move(identity);
  entry.last_named = services_.clock.steady_now();
  if (entry.feed) entry.feed->identity() = entry.identity;
  feed_of(entry);
  return entry;
}

SourceFeed& SourceChannel::feed_of(Entry& entry) {
  if (!entry.feed) entry.feed = std::make_unique<SourceFeed>(*this, entry.identity);
  return *entry.feed;
}

void SourceChannel::name_playlists(std::vector<NamedPlaylist> named, int depth, const std::vector<std::pair<std::string, std::string>>& variables) {
  bool changed = false;
  const auto now = services_.clock.steady_now();
  std::map<std::string, std::int64_t> bandwidths;   // a playlist of several variants has the largest one
  for (const auto& playlist : named) {
    auto& bandwidth = bandwidths[playlist_key(playlist.path, playlist.query)];
    bandwidth = std::max(bandwidth, playlist.bandwidth_bps);
  }
  for (auto& playlist : named) {
    const auto key = playlist_key(playlist.path, playlist.query);
    const auto known = playlists_.find(key);
    if (known != playlists_.end()) {
      known->second.last_named = now;
      if (playlist.kind != hls::UriKind::rendition_report) {
        known->second.feed->identity().variables = variables;
        known->second.feed->identity().bandwidth_bps = bandwidths[key];
      }
      continue;
    }
    // A report names a sibling that the multivariant playlist names too, or that no viewer can know of.
    if (playlist.kind == hls::UriKind::rendition_report || playlists_.size() >= kMaxPlaylists) continue;
    const bool media = leads_to_media(playlist.kind);
    add(key, {playlist.path, playlist.query, playlist.uri.text(), !media, true, depth, variables, bandwidths[key]});
    changed = true;
  }
  const auto before = playlists_.size();
  forget_old();
  if (changed || playlists_.size() != before) publish();
}

void SourceChannel::name_only_media(const std::vector<std::pair<std::string, std::string>>& variables) {
  const std::string key(kOnlyMediaPath);
  const bool is_new = !playlists_.count(key);
  add(key, {key, "", config_.source, false, true, 1, variables, config_.bandwidth_bps});
  if (is_new) publish();
}

void SourceChannel::forget_old() {
  const auto now = services_.clock.steady_now();
  for (auto it = playlists_.begin(); it != playlists_.end();) {
    auto& entry = it->second;
    const bool is_old = it->first != kIndexPath && now - entry.last_named > kForgetAfter && now - entry.feed->slot()->last_asked() > kForgetAfter;
    if (is_old) {
      forget_track(it->first);
      discard(std::move(entry.feed));
    }
    it = is_old ? playlists_.erase(it) : std::next(it);
  }
}

void SourceChannel::publish() {
  auto known = std::make_shared<KnownPlaylists>();
  for (const auto& [key, entry] : playlists_) known->emplace(key, entry.feed->slot());
  slot_->playlists.publish(std::move(known));
}

void SourceChannel::ask(const std::string& key, Source::Waiter waiter) {
  if (const auto found = playlists_.find(key); found != playlists_.end()) return feed_of(found->second).source().ask(std::move(waiter));
  auto& root = *playlists_.find(kIndexPath)->second.feed;
  const auto state = root.slot()->state.get();
  if (state->snapshot && services_.clock.steady_now() - state->confirmed < kFreshEnough) return waiter.deliver(tl::unexpected(unknown_playlist()));
  // After a restart a player asks for a playlist that only the multivariant one can vouch for.
  auto deadline = waiter.deadline;
  root.slot()->touch(services_.clock.steady_now());
  root.source().ask({std::nullopt, deadline, [this, key, waiter = std::move(waiter), alive = std::weak_ptr<int>(alive_)](auto answer) mutable {
    if (!answer) return waiter.deliver(std::move(answer));
    const auto found = alive.expired() ? playlists_.end() : playlists_.find(key);
    if (alive.expired() || found == playlists_.end()) return waiter.deliver(tl::unexpected(unknown_playlist()));
    found->second.feed->source().ask(std::move(waiter));
  }});
}

void SourceChannel::wake(const std::string& key) {
  if (const auto found = playlists_.find(key); found != playlists_.end()) found->second.feed->source().wake();
}

void SourceChannel::drain() {
  for (auto& [key, entry] : playlists_) entry.feed->drain();
}

void SourceChannel::close(const base::Error& error) {
  for (auto& [key, entry] : playlists_) entry.feed->close(error);
}

const std::string& SourceChannel::epoch() {
  timeline_.begin(services_.clock.steady_now());
  return timeline_.current().epoch;
}

void SourceChannel::save_track(const std::string& track) {
  store_.put(kTimelinesTable, config_.id + "\n" + track, timeline_.save_track(track, services_.clock.steady_now(), services_.clock.wall_now()));
}

void SourceChannel::forget_track(const std::string& track) {
  timeline_.forget(track);
  store_.put(kTimelinesTable, config_.id + "\n", timeline_.save_channel(services_.clock.steady_now(), services_.clock.wall_now()));
  store_.erase(kTimelinesTable, config_.id + "\n" + track);
}

bool SourceChannel::is_generation_saved() const { return timeline_.current().epoch == saved_epoch_; }

void SourceChannel::save_generation(std::function<void()> on_saved) {
  const auto epoch = timeline_.current().epoch;
  auto& loop = worker_.loop;
  auto& log = services_.log;
  auto record = timeline_.save_channel(services_.clock.steady_now(), services_.clock.wall_now());
  const auto finish = [this, epoch, on_saved = std::move(on_saved), alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    saved_epoch_ = epoch;
    on_saved();
  };
  store_.put(kTimelinesTable, config_.id + "\n", std::move(record), [&loop, &log, finish, channel = config_.id](base::Status status) {
    // WHY: viewers are served all the same; only a restart of this process would then change the links that are listed.
    if (!status) log.error("balancer", "timeline_not_saved", {{"channel", channel}, {"error", status.error().text}});
    loop.post(finish);
  });
}

void SourceChannel::on_origin_changed(std::size_t origin, bool is_well, std::string_view why) {
  const auto& url = origin == 0 ? config_.source : config_.backup_origins[origin - 1];
  const auto name = std::string_view(url).substr(0, url.find('?'));   // the query may hold what the origin lets its clients in by
  if (is_well) services_.log.info("balancer", "origin_returned", {{"channel", config_.id}, {"origin", name}});
  else services_.log.warning("balancer", "origin_left", {{"channel", config_.id}, {"origin", name}, {"error", why}});
  if (!is_well) metrics_.origin_left();
}

void SourceChannel::on_flaws(std::string_view path, const std::vector<hls::FoundFlaw>& flaws) {
  for (const auto& found : flaws) {
    metrics_.flawed(hls::word(found.flaw), found.count);
    if (!logged_flaws_.insert(found.flaw).second) continue;
    services_.log.warning("balancer", "source_playlist_flawed",
                          {{"channel", config_.id}, {"path", path}, {"flaw", hls::word(found.flaw)}, {"line", std::int64_t{found.line} + 1},
                           {"count", std::int64_t{found.count}}});
  }
}

void SourceChannel::on_restarted(std::string_view path) {
  services_.log.warning("balancer", "source_restarted", {{"channel", config_.id}, {"path", path}, {"epoch", timeline_.current().epoch}});
}

}  // namespace tribune::balancer
