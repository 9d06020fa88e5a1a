#pragma once
// One channel's source: its multivariant playlist, the playlists that this one names, and the timeline that they share.
//
// Lifetime of a playlist that is named
//   named       the last good multivariant playlist names it, or what leads there from it      (name_playlists)
//   an asset    a list of interstitials' assets named it within kAssetNamedFor                 (name_assets)
//   asked       a viewer wants it: its feed wakes                                               (ask)
//   forgotten   neither named nor asked for kForgetAfter, or sooner when kMaxPlaylists stand    (name_playlists)
//   refused     kMaxPlaylists stand, and all of them are named: a counter and a line in the log (name_playlists)
// Nothing else at the origin can be asked for. A playlist whose URI changes with every response is one playlist
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

#include "balancer/sources/child_names.h"
#include "balancer/sources/documents/channel_documents.h"
#include "balancer/sources/link_holds.h"
#include "balancer/sources/playlist_refresher.h"
#include "balancer/sources/source_metrics.h"
#include "balancer/sources/source_origins.h"
#include "balancer/timeline/timeline.h"
#include "contracts/event.h"
#include "contracts/link.h"
#include "runtime/role.h"
#include "store/store.h"

namespace tribune::balancer {

inline constexpr std::chrono::minutes kForgetAfter{10};
inline constexpr std::size_t kMaxPlaylists = 4'000;  // of one channel
inline constexpr std::chrono::hours kAssetNamedFor{1};
inline constexpr std::size_t kMaxAssetPlaylists = 200;  // named by lists; those named first give way

/// The playlists that may be asked for, by path, and by "path?query" where the origin needs the query. Immutable.
using KnownPlaylists = std::map<std::string, std::shared_ptr<SourceSlot>, std::less<>>;

/// What any worker sees of a channel. Any thread.
struct ChannelSlot {
  std::string id;
  std::string label = {};  // in the metrics; several channels may share one
  std::size_t worker = 0;
  base::Published<KnownPlaylists> playlists{std::make_shared<const KnownPlaylists>()};
  LinkHolds holds;
  std::atomic<std::int64_t> link_lifetime_s{0};
  std::atomic<bool> is_loaded{false};  // what a former process had listed is among the holds

  /// Links that expire at that time, in unix seconds, or later are accepted although their time is over; nothing while
  /// all that a viewer may use are young. What left a playlist is accepted for at least a link's lifetime more.
  std::optional<std::int64_t> listed_from(base::SteadyTime now, base::WallTime wall);
};

/// The key of a playlist among the known ones.
std::string playlist_key(std::string_view path, std::string_view query);

/// Records that a former process left: by the key in the store, without the channel's id.
using TimelineRecords = std::map<std::string, std::string>;

/// Owned by one worker.
class SourceChannel {
 public:
  SourceChannel(runtime::Services&, runtime::Worker&, store::Store&, const SourceSettings&,
                std::shared_ptr<ChannelSlot>, NodePushHandler* = nullptr);
  ~SourceChannel();

  /// Once, before the first configure().
  void load(const TimelineRecords&);
  /// What a channel of this id that is made later is to load; the newest generation is on disk, too.
  TimelineRecords leave();
  /// Another source or other origins begin anew, on the same timeline.
  void configure(const contracts::Channel&, std::shared_ptr<const base::KeyRing>);

  /// Answers from the playlist of that key, once the multivariant playlist has named it.
  void ask(const std::string& key, Source::Waiter);
  void wake(const std::string& key);
  ChannelDocuments& documents() { return documents_; }
  void drain();
  void close(const base::Error&);

  // For its feeds:
  runtime::Services& services() const { return services_; }
  runtime::Worker& worker() const { return worker_; }
  const SourceSettings& settings() const { return settings_; }
  const contracts::Channel& config() const { return config_; }
  const LinkMaking& making() const { return making_; }
  Timeline& timeline() { return timeline_; }
  SourceMetrics& metrics() { return metrics_; }
  /// Where new segments are announced; null when nobody is to be told.
  NodePushHandler* news() const { return news_; }
  /// Which of the origins is well; shared by all playlists of the channel.
  SourceOrigins& origins() { return source_origins_; }
  void on_origin_changed(std::size_t origin, bool is_well, std::string_view why);
  /// The epoch of what was listed last, or that of the first generation to come.
  const std::string& epoch();
  /// What the playlist of that key names; each gets the path and query under which viewers know it.
  void name_playlists(const std::string& namer, std::vector<NamedPlaylist>&, int depth,
                      const std::vector<std::pair<std::string, std::string>>& variables);
  void name_only_media(const std::vector<std::pair<std::string, std::string>>& variables, std::int64_t bandwidth_bps);
  /// What an asset list names: whoever was given it may ask for the playlists for a while.
  void name_assets(const std::vector<NamedPlaylist>&);
  /// Viewers may use what a text listed for so long after they loaded it.
  std::chrono::milliseconds links_used_for(std::chrono::milliseconds span) const {
    return span + config_.link_lifetime;
  }
  LinkHolds& holds() { return slot_->holds; }
  void save_track(const std::string& track);
  void forget_track(const std::string& track);
  bool is_generation_saved() const;
  /// Calls back on this worker once the generations are on disk, or could not be written.
  void save_generation(std::function<void()> on_saved);
  void on_restarted(std::string_view path);
  /// Of a playlist that was read for all that: counted, and the first of each kind is logged.
  void on_flaws(std::string_view path, const std::vector<hls::FoundFlaw>&);

 private:
  struct Entry {
    FeedIdentity identity;
    std::unique_ptr<PlaylistRefresher> feed;
    base::SteadyTime last_named{};
    std::optional<base::SteadyTime> asset_until = {};
    std::vector<std::string> names;  // the playlists that it names, as it was read last
    ChildNames children;             // of a multivariant playlist
  };
  PlaylistRefresher& feed_of(Entry&);
  Entry& add(const std::string& key, FeedIdentity);
  void recognise(const std::string& namer, Entry&, std::vector<NamedPlaylist>&);
  void recognise_report(const Entry& namer, NamedPlaylist&) const;
  std::size_t make_room(std::size_t wanted);
  void forget_old();
  void note_named();
  void forget(const std::string& key);
  void hold_links(const std::string& key, const Entry&);
  void hold_links_of_former_process();
  const std::string* find_closest(const std::string& key) const;
  void ask_closest(const std::string& key, Source::Waiter);
  void publish();
  void begin_anew();
  void discard(std::unique_ptr<PlaylistRefresher>);

  runtime::Services& services_;
  runtime::Worker& worker_;
  store::Store& store_;
  const SourceSettings settings_;
  std::shared_ptr<ChannelSlot> slot_;
  NodePushHandler* const news_;
  contracts::Channel config_;
  LinkMaking making_;
  SourceOrigins source_origins_{1};
  SourceMetrics metrics_;
  Timeline timeline_;
  std::string saved_epoch_;
  std::set<hls::Flaw> logged_flaws_;
  std::map<std::string, Entry, std::less<>> playlists_;
  std::map<std::string, std::string, std::less<>>
      reported_;                    // the origin's names of this reading's playlists: those that viewers know
  std::deque<std::string> assets_;  // keys of what asset lists named, the first one first
  std::map<std::string, std::string> saved_children_;  // records of a former process, by the key of the playlist
  base::SteadyTime next_sweep_{};
  bool refusal_told_ = false;
  ChannelDocuments documents_{*this};
  std::vector<std::unique_ptr<PlaylistRefresher>> discarded_;  // until the loop comes round
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace tribune::balancer
