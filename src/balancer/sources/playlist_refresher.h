#pragma once
// The surroundings of one source playlist in a running balancer: its fetches, and how an answer becomes a snapshot.
// Owned by one worker.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "balancer/node_push/segment_announcer.h"
#include "balancer/sources/probe/known_media.h"
#include "balancer/sources/source.h"
#include "balancer/sources/source_links.h"
#include "balancer/sources/source_origins.h"
#include "base/metrics.h"
#include "net/event_loop.h"

namespace tribune::balancer {

class SourceChannel;

/// Which playlist a feed fetches.
struct FeedIdentity {
  std::string path;   // after `~{session}/`
  std::string query;  // the origin's own
  std::string url;
  bool may_be_multivariant = false;
  bool may_be_media = true;
  int depth = 0;                                               // how many playlists lead to it
  std::vector<std::pair<std::string, std::string>> variables;  // of the playlist that names it
  std::int64_t bandwidth_bps = 0;                              // as that playlist says; 0: it does not
};

class PlaylistRefresher final : public Source::Environment {
 public:
  PlaylistRefresher(SourceChannel& channel, FeedIdentity identity);
  ~PlaylistRefresher() override;

  Source& source() { return source_; }
  void drain();
  void close(const base::Error&);
  /// Equal text of a playlist that does not change any more gets new links, too.
  void make_links_anew() { renew_at_ = 0; }
  const std::shared_ptr<SourceSlot>& slot() const { return slot_; }
  FeedIdentity& identity() { return identity_; }

  base::SteadyTime now() const override;
  std::chrono::milliseconds stale_time() const override;
  void schedule(base::SteadyTime) override;
  std::unique_ptr<net::Fetch> fetch(const http::Headers& validators,
                                    std::function<void(base::Result<net::WholeAnswer>)>) override;
  void read(net::WholeAnswer, std::function<void(base::Result<Source::Reading>)>) override;
  void on_refreshed(std::string_view word) override;
  void on_failed(const base::Error&, std::int64_t in_a_row) override;
  void on_recovered(std::int64_t failures) override;
  void on_stalled(std::chrono::milliseconds unchanged) override;

 private:
  void announce(const base::Result<Source::Reading>&);
  base::Result<Source::Reading> understand(const net::WholeAnswer&);
  base::Result<Source::Reading> read_media(const hls::Playlist&, const http::Uri& base);
  base::Result<Source::Reading> read_multivariant(const hls::Playlist&, const http::Uri& base);
  base::Result<Source::Reading> read_only_media(const hls::Playlist&, const http::Uri& base);
  OnlyVariant said_variant() const;
  SnapshotPtr only_media_snapshot() const;
  void look_into_media(const hls::Playlist&, const http::Uri& base);
  void on_looked(KnownMedia::Result, const std::optional<base::Error>&);
  void finish_reading(base::Result<Source::Reading>, std::function<void(base::Result<Source::Reading>)> on_read);
  void release_reading();
  std::string track() const;
  net::FetchRequest request_to(std::string url) const;
  net::FetchRequest request_at(std::size_t origin) const;
  void probe(std::size_t origin);
  void origin_failed(std::size_t origin, SourceOrigins::How, std::string_view why);
  bool needs_new_links() const;
  std::int64_t expiry(std::chrono::milliseconds span) const;
  void renew_links_of_ended();
  std::int64_t pace_kbps() const;

  SourceChannel& channel_;
  FeedIdentity identity_;
  SourceLinks links_;
  std::string last_text_;                      // of the snapshot: equal text means equal snapshot
  std::int64_t renew_at_ = 0;                  // when the links are to be made anew, in unix seconds
  std::size_t asked_ = 0;                      // the origin of the last fetch, as in SourceOrigins
  std::optional<std::size_t> read_from_;       // the origin of last_text_, whose validators are known
  std::map<std::size_t, std::string> frozen_;  // what origins that were left for standing still go on saying
  std::unique_ptr<net::Fetch> probe_;
  std::vector<std::string> newest_;  // what the last reading of a media playlist ends with, as targets at a node
  // Of a source without a multivariant playlist:
  KnownMedia media_;
  std::string media_generation_;  // the one whose failed look is in the log
  std::function<void()> held_;    // a reading that waits for a look
  net::Timer hold_over_;
  SegmentAnnouncer announcer_;
  std::shared_ptr<SourceSlot> slot_ = std::make_shared<SourceSlot>();
  net::Timer timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  Source source_;
};

}  // namespace tribune::balancer
