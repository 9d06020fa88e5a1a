#pragma once
// Refreshes one source playlist: its fetches, and the step from a response to a snapshot. Owned by one worker.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "balancer/node_push/segment_announcer.h"
#include "balancer/sources/end_hold.h"
#include "balancer/sources/probe/known_media.h"
#include "balancer/sources/source.h"
#include "balancer/sources/source_links.h"
#include "balancer/sources/source_origins.h"
#include "balancer/timeline/listed_files.h"
#include "base/metrics.h"
#include "net/event_loop.h"

namespace tribune::balancer {

class SourceChannel;

/// The playlist that a refresher fetches.
struct PlaylistIdentity {
  std::string path;   // after `~{session}/`
  std::string query;  // the origin's own
  std::string url;
  bool may_be_multivariant = false;
  bool may_be_media = true;
  int depth = 0;  // the number of playlists between this one and the channel's own
  std::vector<std::pair<std::string, std::string>> variables;  // of the playlist that names it
  std::int64_t bandwidth_bps = 0;                              // as that playlist states; 0: not stated
};

class PlaylistRefresher final : public Source::Environment {
 public:
  /// `former`: the links that the former source's playlist of that name listed.
  PlaylistRefresher(SourceChannel& channel, PlaylistIdentity identity, SourceLinks former = {});
  ~PlaylistRefresher() override;

  Source& source() { return source_; }
  void drain();
  void close(const base::Error&);
  /// Makes the next refresh renew the links of a playlist that no longer changes, although its text is equal.
  void renew_links() { renew_at_ = 0; }
  const std::shared_ptr<SourceSlot>& slot() const { return slot_; }
  PlaylistIdentity& identity() { return identity_; }
  /// The listed links of a media playlist, before it is closed.
  std::optional<SourceLinks> take_links();

  base::SteadyTime now() const override;
  std::chrono::milliseconds stale_time() const override;
  base::SteadyTime links_usable_until() const override;
  std::optional<Source::Refresh> with_new_links() override;
  void schedule(base::SteadyTime) override;
  std::unique_ptr<net::Fetch> fetch(const http::Headers& validators,
                                    std::function<void(base::Result<net::WholeAnswer>)>) override;
  void parse(net::WholeAnswer, std::function<void(base::Result<Source::Refresh>)>) override;
  void on_refreshed(std::string_view result) override;
  void on_failed(const base::Error&, std::int64_t in_a_row) override;
  void on_recovered(std::int64_t failures) override;
  void on_stalled(std::chrono::milliseconds unchanged) override;

 private:
  void announce(const base::Result<Source::Refresh>&);
  base::Result<Source::Refresh> parse_playlist(const net::WholeAnswer&);
  base::Result<Source::Refresh> read_media(const hls::Playlist&, const http::Uri& base);
  base::Result<Source::Refresh> read_multivariant(const hls::Playlist&, const http::Uri& base);
  base::Result<Source::Refresh> read_only_media(const hls::Playlist&, const http::Uri& base);
  OnlyVariant announced_variant() const;
  SnapshotPtr only_media_snapshot() const;
  void probe_media(const hls::Playlist&, const http::Uri& base);
  void on_media_probed(KnownMedia::Result, const std::optional<base::Error>&);
  void finish_refresh(base::Result<Source::Refresh>, std::function<void(base::Result<Source::Refresh>)> on_parsed);
  void release_held_refresh();
  std::string track() const;
  net::FetchRequest request_to(std::string url) const;
  net::FetchRequest request_at(std::size_t origin) const;
  hls::Context context_of(const net::WholeAnswer&) const;
  void probe(std::size_t origin);
  void note_source(const Timeline::Outcome&, const hls::Playlist& source, const http::Uri& base);
  void compare_with_backup();
  void note_comparison(std::size_t origin, const hls::Playlist&, const http::Uri& base);
  void origin_failed(std::size_t origin, SourceOrigins::Failure, std::string_view why);
  bool needs_new_links() const;
  http::Uri link_base(const hls::Playlist& shown, const http::Uri& base) const;
  bool was_live() const;
  EndFacts end_facts(std::size_t origin) const;
  bool holds_end(const hls::Playlist&);
  std::int64_t expiry(std::chrono::milliseconds span) const;
  void renew_links_of_ended();
  std::int64_t pace_kbps() const;

  SourceChannel& channel_;
  PlaylistIdentity identity_;
  SourceLinks links_;
  std::string last_text_;                   // of the snapshot: equal text means equal snapshot
  http::Uri last_uri_;                      // from which it came
  bool accepts_equal_text_ = true;          // false: the links of the snapshot are due for renewal
  std::int64_t renew_at_ = 0;               // when new links are made, in unix seconds
  std::size_t request_origin_ = 0;          // the origin of the last fetch, as in SourceOrigins
  std::optional<std::size_t> text_origin_;  // the origin of last_text_, whose validators are known
  std::map<std::size_t, std::string>
      stalled_texts_;  // by origin: the unchanged text of an origin that was left because its playlist stalled
  EndHold end_hold_;   // of the end in the last response
  std::unique_ptr<net::Fetch> probe_;
  ListedFiles files_;           // of the source's own origin; empty without backups
  bool is_comparable_ = false;  // its last response is the timeline that is listed
  std::unique_ptr<net::Fetch> comparison_;
  std::vector<std::string> newest_;  // the last link targets at a node of the last refresh of a media playlist
  // Members for a source without a multivariant playlist:
  KnownMedia media_;
  std::string media_generation_;        // the generation whose failed probe was logged
  std::function<void()> held_refresh_;  // a refresh that waits for a probe
  net::Timer hold_timer_;
  SegmentAnnouncer announcer_;
  std::shared_ptr<SourceSlot> slot_ = std::make_shared<SourceSlot>();
  net::Timer timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  Source source_;
};

}  // namespace tribune::balancer
