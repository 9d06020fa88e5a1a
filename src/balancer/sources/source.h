#pragma once
// One source playlist: when it is fetched, how long the last good one may be served, and who waits for it.
//
// States
//   asleep      nobody asked lately: not fetched                              (tick; ask() wakes it)
//   due         to be fetched at a time                                       (ask, a finished fetch)
//   fetching    one request at the origin is under way, for all who wait      (tick)
//   judging     the answer is being read; a new epoch is being saved          (the fetch)
// A media playlist is fetched every half target duration (half a part's, if it has parts and the origin blocks reloads)
// while somebody asks, once more after nobody did for three target durations, and then it falls asleep. A multivariant
// playlist is fetched when somebody asks and the last one is older than its age.
//
// How long the last good media playlist is served when the origin fails: the channel's stale_time after it was last
// confirmed, and at least 1.5 target durations. A blocking reload is held meanwhile, up to its deadline, and then
// answered with it. A playlist that the origin confirms and does not change is served on: it is what the source says,
// and a player that waits goes on by itself when the source does. A playlist with EXT-X-ENDLIST never grows old.

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

/// What was found out about a playlist by its last good refresh.
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
};

/// The present of one source playlist, for any worker. Immutable.
struct SourceState {
  SnapshotPtr snapshot;  // null before the first good one
  SourceFacts facts;
  base::SteadyTime confirmed{};
  base::SteadyTime fresh_until{};   // answered from memory
  base::SteadyTime usable_until{};  // answered from memory, and the owner is woken
  base::SteadyTime good_until{};    // answered when the origin fails
  bool is_failing = false;
  std::int64_t failures = 0;         // in a row
  std::optional<base::Error> error;  // of the last refresh
  base::SteadyTime retry_at{};       // no fetch before that
};

inline constexpr std::int64_t kNoLink = std::numeric_limits<std::int64_t>::max();

/// What any worker sees of a source. Any thread.
struct SourceSlot {
  base::Published<SourceState> state{std::make_shared<const SourceState>()};
  std::atomic<std::int64_t> last_asked_ns{0};
  std::atomic<std::int64_t> oldest_link{kNoLink};  // the expiry of the oldest link that it lists, in unix seconds
  std::atomic<std::int64_t> used_for_ms{0};        // for how long a viewer who loaded it may use its links

  void touch(base::SteadyTime now) { last_asked_ns.store(now.time_since_epoch().count(), std::memory_order_relaxed); }
  base::SteadyTime last_asked() const {
    return base::SteadyTime{std::chrono::nanoseconds{last_asked_ns.load(std::memory_order_relaxed)}};
  }
};

/// Owned by one worker.
class Source {
 public:
  /// The reading of a good answer. No snapshot: nothing newer in it, the last one stays.
  struct Reading {
    SnapshotPtr snapshot;
    SourceFacts facts;
    std::string_view word;  // "new", "unchanged", "older_copy", "unconfirmed", "restarted": a literal
  };

  /// What a source needs of its surroundings; all calls on its worker.
  class Environment {
   public:
    virtual ~Environment() = default;
    virtual base::SteadyTime now() const = 0;
    /// How long a media playlist that the origin no longer confirms is served.
    virtual std::chrono::milliseconds stale_time() const = 0;
    /// tick() is to be called at that time; replaces the former wish.
    virtual void schedule(base::SteadyTime) = 0;
    virtual std::unique_ptr<net::Fetch> fetch(const http::Headers& validators,
                                              std::function<void(base::Result<net::WholeAnswer>)>) = 0;
    /// May answer later, on the same worker.
    virtual void read(net::WholeAnswer, std::function<void(base::Result<Reading>)>) = 0;

    // For counters and the log:
    virtual void on_refreshed(std::string_view word) = 0;
    virtual void on_failed(const base::Error&, std::int64_t in_a_row) = 0;
    virtual void on_recovered(std::int64_t failures) = 0;
    virtual void on_stalled(std::chrono::milliseconds unchanged) = 0;
  };

  /// Someone who waits; `deliver` is called once.
  struct Waiter {
    std::optional<BlockingReload> want;
    base::SteadyTime deadline{};
    std::function<void(base::Result<PlaylistAnswer>)> deliver;
  };

  Source(Environment&, std::shared_ptr<SourceSlot>, const SourceSettings&);
  ~Source();  // forgets who waits

  void ask(Waiter);
  void wake();
  void tick();
  /// Blocking reloads, waiting and to come, are answered as others are.
  void drain();
  /// Ends every wait and fetches no more.
  void close(const base::Error&);

  const SourceSlot& slot() const { return *slot_; }

 private:
  void start_fetch();
  void on_answer(base::Result<net::WholeAnswer>);
  void on_read(base::Result<Reading>, http::Headers validators);
  void confirm(std::string_view word);
  void fail(base::Error);
  void publish();
  void answer_waiters();
  std::vector<Waiter> take_waiters();
  void expire_waiters();
  void plan();
  bool is_wanted() const;
  std::chrono::milliseconds interval() const;
  std::chrono::milliseconds idle_bound() const;

  Environment& world_;
  std::shared_ptr<SourceSlot> slot_;
  const SourceSettings settings_;
  SourceState now_;
  std::vector<Waiter> waiters_;
  std::unique_ptr<net::Fetch> fetch_;
  http::Headers validators_;
  bool is_awake_ = false;
  bool is_busy_ = false;   // fetching or judging
  bool was_last_ = false;  // fetched once more although nobody asked
  bool is_draining_ = false;
  bool is_closed_ = false;
  bool stall_told_ = false;
  base::SteadyTime due_{};
  base::SteadyTime fetch_started_{};
  base::SteadyTime changed_{};
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace tribune::balancer
