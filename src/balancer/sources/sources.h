#pragma once
// The source playlists of all channels. Each is fetched once for all viewers of this process, kept as a snapshot, and
// served from memory.
//
// Life of a playlist request
//   requested   look_up(): a good snapshot is delivered at once, inside the call             (any worker)
//   waiting     there is none, or a blocking reload waits: posted to the channel's worker    (any worker → owner)
//   fetched     by one conditional GET for all that wait                      (owner, playlist_refresher.h)
//   parsed      a damaged, older or unchanged copy does not replace the last good snapshot   (owner, source.h)
//   continued   the numbering continues across restarts of the source                        (owner, timeline.h)
//   published   as a new immutable snapshot; answers are posted to the waiting workers       (owner)
//   rendered    once for each list of pins                                                   (any worker, rendering.h)
//
// A channel belongs to one worker: its playlists see one order of events, and its timeline needs no lock.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "balancer/node_push/playlist_publication.h"
#include "balancer/sources/documents/document.h"
#include "balancer/sources/source_snapshot.h"
#include "base/channel_labels.h"
#include "base/json.h"
#include "base/result.h"
#include "base/signing.h"
#include "contracts/event.h"
#include "contracts/heartbeat.h"
#include "http/problem.h"
#include "net/client/http_client.h"
#include "runtime/role.h"
#include "store/store.h"

namespace tribune::balancer {

class NodePushHandler;
class RenderedPlaylists;

/// The table of the role's store that Sources writes.
inline constexpr std::string_view kTimelinesTable = "timelines";

/// How long an operator's end of a channel is in force.
inline constexpr std::chrono::hours kEndBelieved{1};

/// The balancer's settings of sources.
struct SourceSettings {
  net::FetchDeadlines deadlines{std::chrono::milliseconds{1'000}, std::chrono::milliseconds{2'000},
                                std::chrono::milliseconds{3'000}, 1'024, std::chrono::milliseconds{5'000}};
  bool allow_special_addresses = false;                // of the names that a configured origin resolves to
  std::chrono::milliseconds first_answer{8'000};       // how long a first viewer waits for a playlist
  std::chrono::milliseconds multivariant_age{10'000};  // when older, it is fetched again on a request
  std::chrono::milliseconds media_look{
      500};  // how long a first viewer waits for the probe of a source's media; 0: media is not probed
  std::int64_t max_waiting = 20'000;              // requests that wait in this process; further ones get a 503
  std::shared_ptr<RenderedPlaylists> rendered{};  // the cache of rendered playlists; null: Sources makes one
};

/// The playlist that a viewer requests.
struct PlaylistLookup {
  std::string_view channel;
  std::string_view path;   // after `~{session}/`, percent-encoded; "index.m3u8" is the multivariant playlist
  std::string_view query;  // of the request; _HLS_msn, _HLS_part and the origin's own keys are read from it
};

/// `stale`: the origin fails or its playlist has stalled, and the last good playlist is served within its bound.
struct PlaylistAnswer {
  SnapshotPtr snapshot;
  bool stale = false;
  bool waited = false;
  std::optional<BlockingReload> want{};  // of a blocking reload that waited; the snapshot satisfies it
  PlaylistPublicationPtr publication{};  // null for a multivariant playlist
};

/// Errors: not_found "channel" or "playlist"; invalid_input with fault client for bad _HLS_ keys; timeout, refused,
/// unavailable, protocol, invalid_input or too_large with fault origin when nothing good can be served.
using OnPlaylist = std::function<void(base::Result<PlaylistAnswer>)>;

/// The problem that a viewer gets for such an error.
const http::ProblemType& problem_of(const base::Error&);
/// The detail of that problem: only the kind of a failure at the origin or in this process. The log has the error.
std::string_view detail_for_viewers(const base::Error&);

/// A lookup that waits. Destroying it cancels it: the callback does not run. Owned by the worker that called look_up().
class PendingLookup {
 public:
  PendingLookup() = default;
  ~PendingLookup();
  PendingLookup(PendingLookup&&) noexcept = default;
  PendingLookup& operator=(PendingLookup&&) noexcept;

 private:
  friend class Sources;
  struct Inner;
  explicit PendingLookup(std::shared_ptr<Inner> inner) : inner_(std::move(inner)) {}
  std::shared_ptr<Inner> inner_;
};

/// Any thread; locks inside.
class Sources {
 public:
  /// `services`, `store` and `push_handler` outlive it. The store has kTimelinesTable. Without `push_handler` no node
  /// is notified of new segments.
  Sources(runtime::Services& services, store::Store& store, const SourceSettings&,
          NodePushHandler* push_handler = nullptr, std::shared_ptr<base::ChannelLabels> = nullptr);
  ~Sources();  // call it after the workers' loops have ended

  /// Reads the timelines of a former process. Call it before the workers run; it may read the disk.
  base::Status load();

  /// Channels that are configured from now on list nothing before begin_numbering(). Call it before the first
  /// configure().
  void await_former_numbers();
  /// What a former process listed, as a cache node has seen it. Later numbers are above it. Any thread.
  void continue_above(const contracts::ListedNumbers& former);
  /// Any thread; further calls change nothing.
  void begin_numbering();
  /// What was listed so far. Any thread.
  contracts::ListedNumbers listed_numbers() const;

  /// Applies the event's channels and keys, at the start and at each reload. Channels that keep their id and source
  /// keep their snapshots; listed links keep their text.
  void configure(std::shared_ptr<const contracts::Event>, std::shared_ptr<const base::KeyRing>);

  /// `on_answer` runs once: inside look_up() when the answer is in memory, otherwise later on the worker's loop. Every
  /// wait has a deadline.
  [[nodiscard]] PendingLookup look_up(runtime::Worker& worker, const PlaylistLookup&, OnPlaylist on_answer);

  /// The same for a document that a playlist of the channel names. `on_document` runs later, on the worker's loop.
  [[nodiscard]] PendingLookup look_up_document(runtime::Worker& worker, const DocumentLookup&, OnDocument on_document);

  /// By channel: links that expire at that time or later are accepted after their expiry, because playlists list them
  /// or viewers may still use them. Null while the links that a former process listed are not known. Any thread.
  std::shared_ptr<const contracts::ListedLinks> listed_links() const;

  /// By channel: the backups that have other files than the source (backup_trust.h). Any thread.
  contracts::DistrustedBackups distrusted_backups() const;

  /// Until then the end of the channel's playlists is believed at once (end_hold.h); `on_durable` runs when it is on
  /// disk. False when there is no such channel. Any thread.
  bool believe_end(std::string_view channel, base::WallTime until, std::function<void(base::Status)> on_durable);

  /// From now on answers blocking reloads at once, with the present playlist. Other requests are served until the
  /// listeners close. Any thread, while the loops run.
  void drain();

  /// "sources": [{channel, path, age_ms, msn, epoch, failures, …}] of /status. Any thread.
  void describe(base::json::Writer&) const;
  /// "origins": [{channel, origin, in_use, healthy, files, …}] of /status and /status/origins. Any thread.
  void describe_origins(base::json::Writer&) const;

 private:
  struct Inner;
  std::shared_ptr<Inner> inner_;
};

}  // namespace tribune::balancer
