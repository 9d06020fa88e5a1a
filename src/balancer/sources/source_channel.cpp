#include "balancer/sources/source_channel.h"

#include <algorithm>
#include <set>

#include "base/encoding.h"
#include "base/signing.h"
#include "contracts/epoch.h"

namespace tribune::balancer {
namespace {

constexpr std::chrono::seconds kSweepPeriod{10};
constexpr std::chrono::seconds kRefetchAfter{
    2};  // an unknown path fetches the multivariant playlist again only after this time

base::Error unknown_playlist() {
  return {base::ErrorKind::not_found, base::Fault::client, false, "the channel has no such playlist"};
}

bool leads_to_multivariant(hls::UriKind kind) { return kind == hls::UriKind::asset_uri; }

}  // namespace

std::string source_id(std::string_view source) {
  constexpr std::size_t kCharacters = 16;
  return base::to_hex(base::sha256(source.substr(0, source.find('?')))).substr(0, kCharacters);
}

std::string playlist_key(std::string_view path, std::string_view query) {
  return query.empty() ? std::string(path) : std::string(path) + "?" + std::string(query);
}

std::optional<std::int64_t> ChannelSlot::listed_from(base::SteadyTime now, base::WallTime wall) {
  constexpr std::int64_t kBeforehandSeconds = 60;  // nodes are notified before a link expires
  auto oldest = holds.oldest(now).value_or(kNoLink);
  const auto known = playlists.get();
  for (const auto& [key, playlist] : *known)
    oldest = std::min(oldest, playlist->oldest_link_in_use(now, wall, link_lifetime_s));
  if (oldest >= base::unix_seconds(wall) + kBeforehandSeconds) return std::nullopt;
  return std::max<std::int64_t>(0, oldest - link_lifetime_s);
}

SourceChannel::SourceChannel(runtime::Services& services, runtime::Worker& worker, store::Store& store,
                             const SourceSettings& settings, std::shared_ptr<ChannelSlot> slot,
                             NodePushHandler* push_handler)
    : services_(services),
      worker_(worker),
      store_(store),
      settings_(settings),
      slot_(std::move(slot)),
      push_handler_(push_handler),
      metrics_(services.metrics, slot_->label),
      timeline_([this](std::size_t origin) { return contracts::new_epoch(making_.origins, origin > 0); }) {}

SourceChannel::~SourceChannel() = default;

void SourceChannel::configure(const contracts::Channel& config, std::shared_ptr<const base::KeyRing> keys) {
  const bool same_source = config.source == config_.source && config.extra_origins == config_.extra_origins &&
                           config.backup_origins == config_.backup_origins;
  const bool serves_documents = config.origin_documents == contracts::OriginDocuments::serve;
  const auto use = config.checks_segments() ? contracts::LinkUse::redirect : contracts::LinkUse::anywhere;
  if (serves_documents != making_.serves_documents || use != making_.use)
    for (auto& [key, entry] : playlists_) refresher_of(entry).renew_links();
  config_ = config;
  config_.link_lifetime = config.lifetime_of_links();
  making_ = {config.id, contracts::origin_set(config.source, config.extra_origins), std::move(keys), serves_documents,
             use};
  making_.origins.backups = config.backup_origins;
  configure_origins(same_source);
  if (!same_source) logged_flaws_.clear();
  slot_->link_lifetime_s = std::chrono::ceil<std::chrono::seconds>(config_.link_lifetime).count();
  if (!slot_->is_loaded) hold_links_of_former_process();
  if (same_source && !playlists_.empty()) return;
  reset();
  use_source();
}

/// After reset(). The process, or a removed channel with this id, may have had another source before.
void SourceChannel::use_source() {
  const auto of_epoch = contracts::origins_of_epoch(making_.origins, timeline_.current().epoch);
  // Links that name backups count them after the extra origins of their epoch, so that further ones begin another.
  const bool keeps_epoch = of_epoch && of_epoch->extra_origins.size() == making_.origins.extra_origins.size();
  if (!timeline_.use_source(source_id(config_.source), keeps_epoch, services_.clock.steady_now())) {
    former_links_.clear();
    return timeline_.expect_restart();
  }
  services_.log.info("balancer", "source_changed", {{"channel", config_.id}, {"epoch", timeline_.current().epoch}});
}

/// The viewers of what a former process listed are not known, so all are assumed to have loaded it just now.
void SourceChannel::hold_links_of_former_process() {
  for (const auto& track : timeline_.tracks())
    if (const auto links = timeline_.links(track)) {
      slot_->holds.add(links->oldest, services_.clock.steady_now() + links_used_for(links->span));
      if (links->keeps_all) slot_->holds.add_until_listed(track, links->oldest);
    }
  slot_->is_loaded = true;
}

void SourceChannel::reset() {
  documents_.close({base::ErrorKind::unavailable, base::Fault::tribune, true, "the channel has a new source"});
  assets_.clear();
  if (!playlists_.empty()) slot_->holds.forget_unlisted();
  former_links_.clear();
  for (auto& [key, entry] : playlists_) {
    if (!entry.refresher) continue;
    hold_links(key, entry);
    if (auto links = entry.refresher->take_links()) former_links_[key] = std::move(*links);
    entry.refresher->close({base::ErrorKind::unavailable, base::Fault::tribune, true, "the channel has a new source"});
    discard(std::move(entry.refresher));
  }
  playlists_.clear();
  PlaylistIdentity root;
  root.path = kIndexPath;
  root.url = config_.source;
  root.may_be_multivariant = true;
  root.may_be_media = false;
  add(std::string(kIndexPath), std::move(root));
  publish();
}

// WHY: not destroyed at once, because this may run inside a callback of the refresher itself.
void SourceChannel::discard(std::unique_ptr<PlaylistRefresher> refresher) {
  discarded_.push_back(std::move(refresher));
  worker_.loop.post([this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) discarded_.clear();
  });
}

SourceChannel::Entry& SourceChannel::add(const std::string& key, PlaylistIdentity identity) {
  auto& entry = playlists_[key];
  entry.identity = std::move(identity);
  entry.last_referenced = services_.clock.steady_now();
  if (entry.refresher) entry.refresher->identity() = entry.identity;
  refresher_of(entry);
  return entry;
}

PlaylistRefresher& SourceChannel::refresher_of(Entry& entry) {
  if (entry.refresher) return *entry.refresher;
  auto former = former_links_.extract(playlist_key(entry.identity.path, entry.identity.query));
  entry.refresher =
      std::make_unique<PlaylistRefresher>(*this, entry.identity, former ? std::move(former.mapped()) : SourceLinks());
  return *entry.refresher;
}

void SourceChannel::recognise(const std::string& namer, Entry& entry, std::vector<NamedPlaylist>& named) {
  if (const auto saved = saved_children_.find(namer); saved != saved_children_.end()) {
    entry.children.load(saved->second, config_.source);
    saved_children_.erase(saved);
  }
  std::vector<std::string> origin_keys;
  for (const auto& playlist : named) origin_keys.push_back(playlist_key(playlist.path, playlist.query));
  if (entry.children.recognise(named) && namer == kIndexPath)
    store_.put(kTimelinesTable, config_.id + "\n" + std::string(kChildrenMark) + namer,
               entry.children.save(config_.source));
  if (namer == kIndexPath) reported_.clear();
  for (std::size_t i = 0; i < named.size(); ++i)
    if (const auto key = playlist_key(named[i].path, named[i].query);
        key != origin_keys[i] && reported_.size() < kMaxPlaylists)
      reported_[origin_keys[i]] = key;
}

/// A rendition report names a sibling, or its own playlist, by the origin's name.
void SourceChannel::recognise_report(const Entry& namer, NamedPlaylist& report) const {
  if (const auto known = reported_.find(playlist_key(report.path, report.query)); known != reported_.end()) {
    const auto mark = known->second.find('?');
    report.path = known->second.substr(0, mark);
    report.query = mark == std::string::npos ? "" : known->second.substr(mark + 1);
  } else if (const auto own = http::parse_uri(namer.identity.url);
             own && own->origin() == report.uri.origin() && own->path == report.uri.path) {
    report.path = namer.identity.path;
    report.query = namer.identity.query;
  }
}

void SourceChannel::register_playlists(const std::string& namer, std::vector<NamedPlaylist>& named, int depth,
                                       const std::vector<std::pair<std::string, std::string>>& variables) {
  const auto from = playlists_.find(namer);
  if (from == playlists_.end()) return;
  const bool is_multivariant = std::any_of(named.begin(), named.end(), [](const NamedPlaylist& playlist) {
    return playlist.kind != hls::UriKind::asset_uri && playlist.kind != hls::UriKind::rendition_report;
  });
  if (is_multivariant) recognise(namer, from->second, named);
  // A source without a multivariant playlist has siblings that only rendition reports name.
  const bool reports_name = namer == kOnlyMediaPath;
  std::map<std::string, std::int64_t> bandwidths;  // a playlist of several variants has the largest one
  std::vector<std::string> names;
  for (auto& playlist : named) {
    const bool is_report = playlist.kind == hls::UriKind::rendition_report;
    if (is_report) recognise_report(from->second, playlist);
    const auto key = playlist_key(playlist.path, playlist.query);
    auto& bandwidth = bandwidths[key];
    bandwidth = std::max(bandwidth, playlist.bandwidth_bps);
    if (!is_report || reports_name) names.push_back(key);
  }
  from->second.names = std::move(names);
  // Otherwise the multivariant playlist names the sibling of a report, too, or no viewer requests it.
  const auto may_name = [&](const NamedPlaylist& playlist) {
    return playlist.kind != hls::UriKind::rendition_report || reports_name;
  };
  std::set<std::string> fresh;
  for (const auto& playlist : named)
    if (const auto key = playlist_key(playlist.path, playlist.query); may_name(playlist) && playlists_.count(key) == 0)
      fresh.insert(key);
  auto capacity = reserve_capacity(fresh.size());
  bool changed = false;
  for (auto& playlist : named) {
    const auto key = playlist_key(playlist.path, playlist.query);
    const bool is_report = playlist.kind == hls::UriKind::rendition_report;
    if (const auto known = playlists_.find(key); known != playlists_.end()) {
      if (is_report) continue;
      auto& identity = known->second.refresher->identity();
      identity.url = playlist.uri.text();
      identity.variables = variables;
      identity.bandwidth_bps = bandwidths[key];
      continue;
    }
    if (!may_name(playlist) || capacity == 0) continue;
    --capacity;
    add(key, {playlist.path, playlist.query, playlist.uri.text(), leads_to_multivariant(playlist.kind), true, depth,
              variables, bandwidths[key]});
    changed = true;
  }
  const auto before = playlists_.size();
  forget_old();
  if (changed || playlists_.size() != before) publish();
}

void SourceChannel::register_only_media(const std::vector<std::pair<std::string, std::string>>& variables,
                                        std::int64_t bandwidth_bps) {
  const std::string key(kOnlyMediaPath);
  const bool is_new = !playlists_.count(key);
  add(key, {key, "", config_.source, false, true, 1, variables, std::max(config_.bandwidth_bps, bandwidth_bps)});
  playlists_.find(kIndexPath)->second.names = {key};
  if (is_new) publish();
}

void SourceChannel::register_assets(const std::vector<NamedPlaylist>& assets) {
  constexpr int kDepth = 2;  // the depth of a playlist that a media playlist names
  const auto now = services_.clock.steady_now();
  std::set<std::string> fresh;
  for (const auto& asset : assets)
    if (auto key = playlist_key(asset.path, asset.query); playlists_.count(key) == 0) fresh.insert(std::move(key));
  auto capacity = fresh.empty() ? 0 : reserve_capacity(fresh.size());
  bool changed = false;
  for (const auto& asset : assets) {
    const auto key = playlist_key(asset.path, asset.query);
    auto found = playlists_.find(key);
    if (found == playlists_.end()) {
      if (capacity == 0) continue;
      --capacity;
      add(key, {asset.path, asset.query, asset.uri.text(), true, true, kDepth, {}, 0});
      found = playlists_.find(key);
      changed = true;
    }
    if (!found->second.asset_until) assets_.push_back(key);
    found->second.asset_until = now + kAssetNamedFor;
  }
  for (; assets_.size() > kMaxAssetPlaylists; assets_.pop_front())
    if (const auto first = playlists_.find(assets_.front()); first != playlists_.end())
      first->second.asset_until.reset();
  if (changed) publish();
}

/// Updates last_referenced of the playlists that are reachable from the channel's own playlist or from an asset list.
void SourceChannel::mark_reachable() {
  const auto now = services_.clock.steady_now();
  std::vector<const std::string*> open;
  std::set<std::string_view> reached;
  const std::string root(kIndexPath);
  open.push_back(&root);
  for (const auto& [key, entry] : playlists_)
    if (entry.asset_until && now < *entry.asset_until) open.push_back(&key);
  while (!open.empty()) {
    const auto found = playlists_.find(*open.back());
    open.pop_back();
    if (found == playlists_.end() || !reached.insert(found->first).second) continue;
    found->second.last_referenced = now;
    for (const auto& name : found->second.names) open.push_back(&name);
  }
}

/// Returns how many of `wanted` further playlists may be registered. Removes playlists that are no longer named to make
/// space for them.
std::size_t SourceChannel::reserve_capacity(std::size_t wanted) {
  const auto capacity = kMaxPlaylists - std::min(kMaxPlaylists, playlists_.size());
  if (wanted <= capacity) {
    refusal_logged_ = refusal_logged_ && wanted == 0;
    return wanted;
  }
  mark_reachable();
  const auto now = services_.clock.steady_now();
  std::vector<std::pair<base::SteadyTime, std::string>> unnamed;  // the most recently requested one last
  for (const auto& [key, entry] : playlists_)
    if (entry.last_referenced != now) unnamed.emplace_back(entry.refresher->slot()->last_requested(), key);
  std::sort(unnamed.begin(), unnamed.end());
  unnamed.resize(std::min(unnamed.size(), wanted - capacity));
  for (const auto& [requested, key] : unnamed) forget(key);
  const auto granted = capacity + unnamed.size();
  metrics_.playlists_left_out(unnamed.size() + wanted - granted);
  if (!refusal_logged_)
    services_.log.warning("balancer", "too_many_playlists",
                          {{"channel", config_.id},
                           {"known", playlists_.size()},
                           {"forgotten", unnamed.size()},
                           {"refused", wanted - granted}});
  refusal_logged_ = true;
  return granted;
}

/// Links of a playlist stay valid as long as its last viewers may use them.
void SourceChannel::hold_links(const std::string& key, const Entry& entry) {
  if (const auto links = timeline_.links(key))
    slot_->holds.add(links->oldest, entry.refresher->slot()->last_requested() + links_used_for(links->span));
}

void SourceChannel::forget(const std::string& key) {
  const auto found = playlists_.find(key);
  hold_links(key, found->second);
  forget_track(key);
  found->second.refresher->close(unknown_playlist());
  discard(std::move(found->second.refresher));
  playlists_.erase(found);
}

void SourceChannel::forget_old() {
  const auto now = services_.clock.steady_now();
  if (now < next_sweep_) return;
  next_sweep_ = now + kSweepPeriod;
  mark_reachable();
  std::vector<std::string> old;
  for (const auto& [key, entry] : playlists_)
    if (now - entry.last_referenced > kForgetAfter && now - entry.refresher->slot()->last_requested() > kForgetAfter)
      old.push_back(key);
  for (const auto& key : old) forget(key);
}

/// Finds the playlist for a URL with another token, which a viewer got from another balancer or from a former run whose
/// records are lost.
const std::string* SourceChannel::find_closest(const std::string& key) const {
  std::vector<const std::string*> known;
  for (const auto& [other, entry] : playlists_) known.push_back(&other);
  return closest_playlist(key, known);
}

void SourceChannel::publish() {
  auto known = std::make_shared<KnownPlaylists>();
  for (const auto& [key, entry] : playlists_) known->emplace(key, entry.refresher->slot());
  slot_->playlists.publish(std::move(known));
}

void SourceChannel::request(const std::string& key, Source::Waiter waiter) {
  if (const auto found = playlists_.find(key); found != playlists_.end())
    return refresher_of(found->second).source().request(std::move(waiter));
  auto& root = *playlists_.find(kIndexPath)->second.refresher;
  const auto state = root.slot()->state.get();
  if (state->snapshot && services_.clock.steady_now() - state->confirmed < kRefetchAfter)
    return request_closest(key, std::move(waiter));
  // After a restart a player may request a playlist before the multivariant playlist that names it was fetched.
  auto deadline = waiter.deadline;
  root.slot()->touch(services_.clock.steady_now());
  root.source().request(
      {std::nullopt, deadline,
       [this, key, waiter = std::move(waiter), alive = std::weak_ptr<int>(alive_)](auto answer) mutable {
         if (!answer) return waiter.deliver(std::move(answer));
         if (alive.expired()) return waiter.deliver(tl::unexpected(unknown_playlist()));
         request_closest(key, std::move(waiter));
       }});
}

void SourceChannel::request_closest(const std::string& key, Source::Waiter waiter) {
  const auto* known = playlists_.count(key) != 0 ? &key : find_closest(key);
  if (!known) return waiter.deliver(tl::unexpected(unknown_playlist()));
  auto& refresher = *playlists_.find(*known)->second.refresher;
  refresher.slot()->touch(services_.clock.steady_now());
  refresher.source().request(std::move(waiter));
}

void SourceChannel::wake(const std::string& key) {
  if (const auto found = playlists_.find(key); found != playlists_.end()) found->second.refresher->source().wake();
}

void SourceChannel::drain() {
  for (auto& [key, entry] : playlists_) entry.refresher->drain();
}

void SourceChannel::close(const base::Error& error) {
  documents_.close(error);
  for (auto& [key, entry] : playlists_) entry.refresher->close(error);
}

const std::string& SourceChannel::epoch() {
  timeline_.begin(services_.clock.steady_now());
  return timeline_.current().epoch;
}

void SourceChannel::on_end_held(std::string_view path, std::int64_t end_msn) {
  metrics_.end_held();
  services_.log.warning("balancer", "source_end_held",
                        {{"channel", config_.id}, {"path", path}, {"source_end_msn", end_msn}});
}

void SourceChannel::on_flaws(std::string_view path, const std::vector<hls::FoundFlaw>& flaws) {
  for (const auto& found : flaws) {
    metrics_.flawed(hls::to_string(found.flaw), found.count);
    if (!logged_flaws_.insert(found.flaw).second) continue;
    services_.log.warning("balancer", "source_playlist_flawed",
                          {{"channel", config_.id},
                           {"path", path},
                           {"flaw", hls::to_string(found.flaw)},
                           {"line", std::int64_t{found.line} + 1},
                           {"count", std::int64_t{found.count}}});
  }
}

void SourceChannel::on_restarted(std::string_view path) {
  services_.log.warning("balancer", "source_restarted",
                        {{"channel", config_.id}, {"path", path}, {"epoch", timeline_.current().epoch}});
}

}  // namespace tribune::balancer
