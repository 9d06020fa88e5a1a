#pragma once
// One channel's source: its multivariant playlist, the playlists that it names, and the timeline that they share.
//
// Lifetime of a named playlist
//   named       the last good multivariant playlist, or one that it leads to, names it          (register_playlists)
//   asset       an asset list of interstitials named it within kAssetNamedFor                   (register_assets)
//   requested   a viewer requests it: its refresher wakes                                       (request)
//   forgotten   neither named nor requested for kForgetAfter, or evicted at kMaxPlaylists       (register_playlists)
//   refused     there are kMaxPlaylists, and all are named; counted and logged                  (register_playlists)
// Nothing else at the origin can be requested. A playlist whose URI changes with every response is one playlist
// (child_names.h).

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "balancer/sources/backup_trust.h"
#include "balancer/sources/child_names.h"
#include "balancer/sources/documents/channel_documents.h"
#include "balancer/sources/link_holds.h"
#include "balancer/sources/playlist_refresher.h"
#include "balancer/sources/source_metrics.h"
#include "balancer/sources/source_origins.h"
#include "balancer/timeline/timeline.h"
#include "contracts/event.h"
#include "contracts/link.h"
#include "net/event_loop.h"
#include "runtime/role.h"
#include "store/store.h"

namespace tribune::balancer {

inline constexpr std::chrono::minutes kForgetAfter{10};
inline constexpr std::size_t kMaxPlaylists = 4'000;  // of one channel
inline constexpr std::chrono::hours kAssetNamedFor{1};
inline constexpr std::size_t kMaxAssetPlaylists = 200;  // named by asset lists; the oldest are dropped

/// The playlists that may be requested, by path, and by "path?query" where the origin needs the query. Immutable.
using KnownPlaylists = std::map<std::string, std::shared_ptr<SourceSlot>, std::less<>>;

/// One origin of a channel, as /status/origins shows it.
struct OriginStatus {
  std::string origin;      // "http://host:port"
  bool is_in_use = false;  // the playlists are fetched from it
  bool is_healthy = true;
  bool is_trusted = true;  // it has the same files as the source
  bool is_compared = false;
  std::string difference = {};  // what contradicted the source's playlist last, as in FileComparison
};

/// What any worker reads of a channel. Any thread.
struct ChannelSlot {
  std::string id;
  std::string label = {};  // in the metrics; several channels may share it
  std::size_t worker = 0;
  base::Published<KnownPlaylists> playlists{std::make_shared<const KnownPlaylists>()};
  base::Published<std::vector<OriginStatus>> origins{std::make_shared<const std::vector<OriginStatus>>()};
  LinkHolds holds;
  std::atomic<std::int64_t> link_lifetime_s{0};
  std::atomic<bool> is_loaded{false};                   // the links that a former process listed are among the holds
  base::Published<Timeline::Standing> listed{nullptr};  // null: nothing was listed

  /// Links that expire at that time, in unix seconds, or later are accepted after their expiry. Nullopt while every
  /// link that a viewer may use is valid. A link that left its playlist is accepted for at least one more link
  /// lifetime.
  std::optional<std::int64_t> listed_from(base::SteadyTime now, base::WallTime wall);
};

/// The id of a source: a hash of its URL without the query, which may hold access credentials that change.
std::string source_id(std::string_view source);

/// The key of a playlist in KnownPlaylists.
std::string playlist_key(std::string_view path, std::string_view query);

// Keys in kTimelinesTable, after the channel's id and a line end, that are no path of a playlist:
inline constexpr std::string_view kChildrenMark = "\x01";  // and the playlist that names these children
inline constexpr std::string_view kEndMark = "\x02";       // until when its end is believed, in Unix seconds
inline constexpr std::string_view kDistrustMark = "\x03";  // the id of its source, and the distrusted backups, as lines

/// Records of a former process, by their key in the store without the channel's id.
using TimelineRecords = std::map<std::string, std::string>;

/// Owned by one worker.
class SourceChannel {
 public:
  SourceChannel(runtime::Services&, runtime::Worker&, store::Store&, const SourceSettings&,
                std::shared_ptr<ChannelSlot>, NodePushHandler* = nullptr);
  ~SourceChannel();

  /// Call it once, before the first configure().
  void load(const TimelineRecords&);
  /// The records for a later channel with this id. The newest generation is also on disk.
  TimelineRecords export_records();
  /// Nothing is listed before begin_numbering(): the nodes are asked what a former process listed.
  void await_former_numbers() { awaits_former_numbers_ = true; }
  void continue_above(const Timeline::Standing& former);
  void begin_numbering();
  /// Another source or other origins start with new playlists, on the same timeline: another source in a new epoch.
  void configure(const contracts::Channel&, std::shared_ptr<const base::KeyRing>);

  /// Delivers the playlist of that key, once the multivariant playlist has named it.
  void request(const std::string& key, Source::Waiter);
  void wake(const std::string& key);
  ChannelDocuments& documents() { return documents_; }
  /// Until then an end of any origin is believed at once. All origins are requested again.
  void believe_end(base::WallTime until);
  void drain();
  void close(const base::Error&);

  // For its refreshers:
  runtime::Services& services() const { return services_; }
  runtime::Worker& worker() const { return worker_; }
  const SourceSettings& settings() const { return settings_; }
  const contracts::Channel& config() const { return config_; }
  const LinkMaking& making() const { return making_; }
  Timeline& timeline() { return timeline_; }
  SourceMetrics& metrics() { return metrics_; }
  /// Announces new segments; null when no node is notified.
  NodePushHandler* push_handler() const { return push_handler_; }
  /// The health of the origins, shared by all playlists of the channel.
  SourceOrigins& origins() { return source_origins_; }
  bool is_ended_by_operator() const { return services_.clock.wall_now() < end_believed_until_; }
  void on_end_held(std::string_view path, std::int64_t end_msn);
  void on_origin_changed(std::size_t origin, bool is_healthy, std::string_view why);
  /// Which backups have the same files as the source, shared by all playlists of the channel.
  BackupTrust& backup_trust() { return backup_trust_; }
  void on_backup_compared(std::size_t origin, const std::string& playlist, const FileComparison&,
                          std::chrono::milliseconds target_duration);
  /// The epoch of the links listed last, or that of the first generation.
  const std::string& epoch();
  /// Registers the playlists that the playlist of key `namer` names, and gives each the path and query under which
  /// viewers know it.
  void register_playlists(const std::string& namer, std::vector<NamedPlaylist>&, int depth,
                          const std::vector<std::pair<std::string, std::string>>& variables);
  void register_only_media(const std::vector<std::pair<std::string, std::string>>& variables,
                           std::int64_t bandwidth_bps);
  /// Registers the playlists of an asset list. Viewers may request them for kAssetNamedFor.
  void register_assets(const std::vector<NamedPlaylist>&);
  /// How long viewers may use the links of a playlist of that duration after they loaded it.
  std::chrono::milliseconds links_used_for(std::chrono::milliseconds span) const {
    return span + config_.link_lifetime;
  }
  LinkHolds& holds() { return slot_->holds; }
  /// While this holds, when_numbering() keeps calls until they may list segments.
  bool awaits_former_numbers() const { return awaits_former_numbers_; }
  void when_numbering(std::function<void()> call) { held_.push_back(std::move(call)); }
  void save_track(const std::string& track);
  void forget_track(const std::string& track);
  bool is_generation_saved() const;
  /// Calls back on this worker when the generations are on disk, or when they could not be written but the nodes know
  /// them.
  void save_generation(std::function<void()> on_saved);
  void on_restarted(std::string_view path);
  /// Flaws of a playlist that was accepted: counted, and the first of each kind is logged.
  void on_flaws(std::string_view path, const std::vector<hls::FoundFlaw>&);

 private:
  struct Entry {
    PlaylistIdentity identity;
    std::unique_ptr<PlaylistRefresher> refresher;
    base::SteadyTime last_referenced{};
    std::optional<base::SteadyTime> asset_until = {};
    std::vector<std::string> names;  // the playlists that it names, as of its last refresh
    ChildNames children;             // of a multivariant playlist
  };
  PlaylistRefresher& refresher_of(Entry&);
  Entry& add(const std::string& key, PlaylistIdentity);
  void recognise(const std::string& namer, Entry&, std::vector<NamedPlaylist>&);
  void recognise_report(const Entry& namer, NamedPlaylist&) const;
  std::size_t reserve_capacity(std::size_t wanted);
  void forget_old();
  void mark_reachable();
  void forget(const std::string& key);
  void hold_links(const std::string& key, const Entry&);
  void hold_links_of_former_process();
  const std::string* find_closest(const std::string& key) const;
  void request_closest(const std::string& key, Source::Waiter);
  void publish();
  void publish_standing();
  void use_source();
  void configure_origins(bool are_same);
  std::string origin_name(std::size_t origin) const;
  void use_trust();
  void publish_origins();
  void reset();
  void discard(std::unique_ptr<PlaylistRefresher>);

  runtime::Services& services_;
  runtime::Worker& worker_;
  store::Store& store_;
  const SourceSettings settings_;
  std::shared_ptr<ChannelSlot> slot_;
  NodePushHandler* const push_handler_;
  contracts::Channel config_;
  LinkMaking making_;
  SourceOrigins source_origins_{1};
  BackupTrust backup_trust_{1};
  std::string distrust_;  // the record of the distrusted backups
  base::WallTime end_believed_until_{};
  SourceMetrics metrics_;
  Timeline timeline_;
  std::int64_t saved_revision_ = 0;  // of the timeline
  bool awaits_former_numbers_ = false;
  std::vector<std::function<void()>> held_ = {};          // by when_numbering()
  net::Timer nodes_know_ = {};                            // the generations that could not be written
  std::map<std::string, SourceLinks> former_links_ = {};  // of the playlists of the former source, by key
  std::set<hls::Flaw> logged_flaws_;
  std::map<std::string, Entry, std::less<>> playlists_;
  std::map<std::string, std::string, std::less<>> reported_;  // by the origin's name: the name that viewers know
  std::deque<std::string> assets_;                            // keys of the playlists of asset lists, the oldest first
  std::map<std::string, std::string> saved_children_;         // records of a former process, by the key of the playlist
  base::SteadyTime next_sweep_{};
  bool refusal_logged_ = false;
  ChannelDocuments documents_{*this};
  std::vector<std::unique_ptr<PlaylistRefresher>> discarded_;  // destroyed on the next turn of the loop
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace tribune::balancer
