#pragma once
// One source playlist: when it is fetched, how long the last good snapshot may be served, and the requests that wait
// for it.
//
// States
//   asleep      no viewer requested it; it is not fetched                         (tick; request() and wake() end it)
//   due         it will be fetched at a set time                                  (request, a finished fetch)
//   fetching    one request to the origin is running for all waiting requests     (tick)
//   parsing     the response is parsed; a new epoch is saved                      (the fetch)
// A media playlist is fetched every half target duration (every half part target, if it has parts and the origin
// supports blocking reloads) while viewers request it. After three target durations without a request it is fetched
// once more and falls asleep. A playlist that has slept for longer than a target duration is fetched before any viewer
// gets it; one with EXT-X-ENDLIST only when its links would expire before a viewer has used them. A multivariant
// playlist is fetched when a viewer requests it and the last one is older than multivariant_age.
//
// When the origin fails, the last good media playlist is served for the channel's stale_time after it was last
// confirmed, and for at least 1.5 target durations. A blocking reload is held up to its deadline and then answered with
// that playlist. A playlist that the origin confirms without a change continues to be served, because it is the state
// of the source, and a waiting player continues when the source does. A playlist with EXT-X-ENDLIST does not expire.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/sources/source_snapshot.h"
#include "balancer/sources/sources.h"
#include "base/clock.h"
#include "base/published.h"
#include "base/result.h"
#include "http/message.h"
#include "net/client/http_client.h"

namespace tribune::balancer {

/// The properties of a playlist as of its last good refresh.
struct SourceFacts {
  bool is_multivariant = false;
  std::chrono::milliseconds target_duration{0};
  std::chrono::milliseconds part_target{0};  // 0: no parts
  bool can_block_reload = false;
  bool ended = false;
  std::int64_t end_msn = 0;
  std::int32_t trailing_parts = 0;
  std::string epoch;

  bool contains(const BlockingReload&) const;
  /// RFC 8216bis section 6.2.5.2: such a request is an error.
  bool is_too_far(const BlockingReload&) const;
};

base::Error too_far_ahead();

/// The current state of one source playlist, for any worker. Immutable.
struct SourceState {
  SnapshotPtr snapshot;                // null before the first good refresh
  PlaylistPublicationPtr publication;  // null for a multivariant playlist
  SourceFacts facts;
  base::SteadyTime confirmed{};
  base::SteadyTime fresh_until{};   // until then it is served from memory
  base::SteadyTime usable_until{};  // until then it is served from memory, and the owner is woken
  base::SteadyTime good_until{};    // until then it is served when the origin fails
  bool is_failing = false;
  std::int64_t failures = 0;         // in a row
  std::optional<base::Error> error;  // of the last refresh
  base::SteadyTime retry_at{};       // no fetch before this time
};

inline constexpr std::int64_t kNoLink = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kNeverUnlisted = std::numeric_limits<std::int64_t>::max();

/// What any worker reads of a source. Any thread.
struct SourceSlot {
  base::Published<SourceState> state{std::make_shared<const SourceState>()};
  std::atomic<std::int64_t> last_requested_ns{0};
  std::atomic<std::int64_t> oldest_link{kNoLink};  // the expiry of the oldest link that it lists, in unix seconds
  std::atomic<std::int64_t> used_for_ms{0};        // how long a viewer may use its links after loading it
  std::atomic<std::int64_t> listed_for_s{0};       // how long the next viewers find a segment listed; 0: it has ended

  void touch(base::SteadyTime now) {
    last_requested_ns.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  base::SteadyTime last_requested() const {
    return base::SteadyTime{std::chrono::nanoseconds{last_requested_ns.load(std::memory_order_relaxed)}};
  }
  /// The earliest expiry, in unix seconds, of a link that its last viewers may still use or that the next one finds
  /// listed, also while nobody watches; kNoLink without one.
  std::int64_t oldest_link_in_use(base::SteadyTime now, base::WallTime wall, std::int64_t link_lifetime_s) const;
};

/// Owned by one worker.
class Source {
 public:
  /// The result of a good response. Without a snapshot the response has nothing newer, and the last snapshot stays.
  struct Refresh {
    SnapshotPtr snapshot;
    SourceFacts facts;
    std::string_view result{};             // "new", "unchanged", "older_copy", "unconfirmed", "restarted": a literal
    PlaylistPublicationPtr publication{};  // of a media playlist with a snapshot
    bool is_current = true;                // false: the response is known to be old, or the next one must confirm it
  };

  /// The environment of a source. All calls are made on its worker.
  class Environment {
   public:
    virtual ~Environment() = default;
    virtual base::SteadyTime now() const = 0;
    /// How long a media playlist is served that the origin no longer confirms.
    virtual std::chrono::milliseconds stale_time() const = 0;
    /// Until then a viewer that loads the ended playlist in memory can use its links up to the end.
    virtual base::SteadyTime links_usable_until() const = 0;
    /// The ended playlist in memory with new links, if those that it has are due for renewal.
    virtual std::optional<Refresh> with_new_links() = 0;
    /// Requests a call of tick() at that time. Replaces the former request.
    virtual void schedule(base::SteadyTime) = 0;
    virtual std::unique_ptr<net::Fetch> fetch(const http::Headers& validators,
                                              std::function<void(base::Result<net::WholeAnswer>)>) = 0;
    /// Calls back at once or later, on the same worker.
    virtual void parse(net::WholeAnswer, std::function<void(base::Result<Refresh>)>) = 0;

    // For counters and the log:
    virtual void on_refreshed(std::string_view result) = 0;
    virtual void on_failed(const base::Error&, std::int64_t in_a_row) = 0;
    virtual void on_recovered(std::int64_t failures) = 0;
    virtual void on_stalled(std::chrono::milliseconds unchanged) = 0;
  };

  /// A request that waits. `deliver` is called once.
  struct Waiter {
    std::optional<BlockingReload> want;
    base::SteadyTime deadline{};
    std::function<void(base::Result<PlaylistAnswer>)> deliver;
  };

  Source(Environment&, std::shared_ptr<SourceSlot>, const SourceSettings&);
  ~Source();  // drops the waiting requests

  void request(Waiter);
  void wake();
  void tick();
  /// Answers blocking reloads, also those that wait already, like any other request from now on.
  void drain();
  /// Ends every wait, and fetches no more.
  void close(const base::Error&);

  const SourceSlot& slot() const { return *slot_; }

 private:
  void start_fetch();
  void on_answer(base::Result<net::WholeAnswer>);
  void on_parsed(base::Result<Refresh>, http::Headers validators);
  void accept(Refresh);
  void confirm(std::string_view result, bool is_current);
  void fail(base::Error);
  void publish();
  void answer_waiters();
  std::vector<Waiter> take_waiters();
  void expire_waiters();
  void plan();
  PlaylistAnswer answer(bool stale, bool waited, std::optional<BlockingReload> want = {}) const;
  bool is_wanted() const;
  std::chrono::milliseconds interval() const;
  std::chrono::milliseconds idle_bound() const;

  Environment& environment_;
  std::shared_ptr<SourceSlot> slot_;
  const SourceSettings settings_;
  SourceState now_;
  std::vector<Waiter> waiters_;
  std::unique_ptr<net::Fetch> fetch_;
  http::Headers validators_;
  bool is_awake_ = false;
  bool has_overslept_ = false;  // awake, but no viewer gets the snapshot before the origin has answered
  bool is_busy_ = false;        // fetching or parsing
  bool was_last_ = false;       // fetched once more without a request
  bool is_draining_ = false;
  bool is_closed_ = false;
  bool stall_reported_ = false;
  base::SteadyTime due_{};
  base::SteadyTime fetch_started_{};
  base::SteadyTime changed_{};
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace tribune::balancer
