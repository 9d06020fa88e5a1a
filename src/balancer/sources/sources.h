#pragma once
// The source playlists of all channels: each is fetched once for all viewers of this process, kept as a snapshot, and
// answered from memory.
//
// The journey of a playlist
//   asked       ask(): a good snapshot answers at once, inside the call            (any worker)
//   waiting     none yet, or a blocking reload: posted to the channel's worker     (any worker → owner)
//   fetched     one conditional GET for all who wait                               (owner, playlist_refresher.h)
//   judged      parsed; damaged, older or unchanged copies do not replace the last good one   (owner, source.h)
//   continued   numbering goes on across restarts of the source                    (owner, timeline.h)
//   published   a new immutable snapshot; waiters' answers posted to their loops   (owner)
//   rendered    once for each list of pins                                         (any worker, rendering.h)
//
// A channel belongs to one worker: its playlists see one order of events, and its timeline needs no lock.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

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

/// Settings of the balancer that concern sources; a section of its own may read them.
struct SourceSettings {
  net::FetchDeadlines deadlines{std::chrono::milliseconds{1'000}, std::chrono::milliseconds{2'000},
                                std::chrono::milliseconds{3'000}, 1'024, std::chrono::milliseconds{5'000}};
  bool allow_special_addresses = true;                 // of names that a configured origin resolves to
  std::chrono::milliseconds first_answer{8'000};       // how long a first viewer waits for a playlist
  std::chrono::milliseconds multivariant_age{10'000};  // refetched when older, while asked for
  std::chrono::milliseconds media_look{
      500};  // how long a first viewer waits for what a source's media says; 0: it is not looked into
  std::int64_t max_waiting = 20'000;           // viewers waiting in this process; more get 503
  std::shared_ptr<RenderedPlaylists> texts{};  // where rendered playlists are kept; null: for Sources to make
};

/// Which playlist a viewer asks for.
struct PlaylistQuestion {
  std::string_view channel;
  std::string_view path;   // after `~{session}/`, percent-encoded; "index.m3u8" is the multivariant playlist
  std::string_view query;  // of the request: _HLS_msn, _HLS_part and the origin's own keys are taken from it
};

/// `stale`: the origin fails or stands still; the last good playlist is served within its bound.
struct PlaylistAnswer {
  SnapshotPtr snapshot;
  bool stale = false;
  bool waited = false;
  std::optional<BlockingReload> want{};  // of a reload that waits for it; the snapshot has it
};

/// Errors: not_found "channel" or "playlist"; invalid_input with fault client for bad _HLS_ keys; timeout, unavailable,
/// protocol, invalid_input or too_large with fault origin when nothing good can be served.
using OnPlaylist = std::function<void(base::Result<PlaylistAnswer>)>;

/// The problem that a viewer gets for such an error.
const http::ProblemType& problem_of(const base::Error&);
/// What it says to a viewer: of what went wrong at the origin or here no more than the kind. The log has the error.
std::string_view detail_for_viewers(const base::Error&);

/// Someone waiting for an answer. Destroying it cancels: the callback will not run. Owned by one worker, the asker's.
class Asking {
 public:
  Asking() = default;
  ~Asking();
  Asking(Asking&&) noexcept = default;
  Asking& operator=(Asking&&) noexcept;

 private:
  friend class Sources;
  struct Inner;
  explicit Asking(std::shared_ptr<Inner> inner) : inner_(std::move(inner)) {}
  std::shared_ptr<Inner> inner_;
};

/// Any thread; locks inside.
class Sources {
 public:
  /// `services`, `store` and `news` outlive it. The store has kTimelinesTable. Without `news` no node is told of new
  /// segments.
  Sources(runtime::Services& services, store::Store& store, const SourceSettings&, NodePushHandler* news = nullptr,
          std::shared_ptr<base::ChannelLabels> = nullptr);
  ~Sources();  // after the workers' loops have ended

  /// Reads the timelines that a former process left. Before the workers run; may read the disk.
  base::Status load();

  /// The event's channels and keys, at start and at each reload. Channels that keep their id and source keep their
  /// snapshots; links already listed keep their text.
  void configure(std::shared_ptr<const contracts::Event>, std::shared_ptr<const base::KeyRing>);

  /// `on_answer` runs once: inside ask() when memory answers, else later on the asker's loop. Every wait has an end.
  [[nodiscard]] Asking ask(runtime::Worker& asker, const PlaylistQuestion&, OnPlaylist on_answer);

  /// The same for a document that a playlist of the channel named; `on_document` runs later, on the asker's loop.
  [[nodiscard]] Asking ask_document(runtime::Worker& asker, const DocumentQuestion&, OnDocument on_document);

  /// By channel: links that expire from then on are accepted although their time is over, for playlists list them or
  /// viewers may still use them. Nothing while it is not known what a former process had listed. Any thread.
  std::shared_ptr<const contracts::ListedLinks> listed_links() const;

  /// Holds no reload back any more: who waits for a segment to come gets the playlist as it is. Everything else goes
  /// on, for players are served until the front door closes. Any thread; the loops still run.
  void drain();

  /// "sources": [{channel, path, age_ms, msn, epoch, failures, …}] of /status. Any thread.
  void describe(base::json::Writer&) const;

 private:
  struct Inner;
  std::shared_ptr<Inner> inner_;
};

}  // namespace tribune::balancer
