#pragma once
// What an Admission keeps behind its lock. Used by admission*.cpp alone.
//
// Locks: `mutex` guards all of Inner but `sessions`, which has locks of its own and may be used under it, never the
// other way round. What changes the number of sessions happens under `mutex`, so that no limit is exceeded between
// looking and opening.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "access/admission.h"
#include "access/node_limits.h"
#include "access/past_sessions.h"
#include "access/scope.h"
#include "access/session_record.h"
#include "access/sessions.h"
#include "access/ticket_queue.h"
#include "base/published.h"

namespace tribune::access {

/// Numbers are on disk before they are given out, and a place is on disk as served before its ticket may be claimed: a
/// restart gives no number twice, and calls nobody who was called.
struct WriteBehind {
  std::string key;
  std::uint64_t reserved = 0, served = 0;  // on disk
  std::uint64_t first = 1;                 // number that this process may give out
  TicketQueueRecord writing;               // on its way
  bool is_writing = false;
  bool is_dirty = true;
};

struct Lane {
  struct Call {
    base::SteadyTime until;
    std::uint64_t number;
  };

  /// `label`: of the channel in the metrics; several may share one.
  Lane(std::uint8_t index, const LaneSettings&, std::string_view channel, std::string_view label, std::uint32_t queue,
       base::Metrics&);

  void show_waiting(std::size_t tickets) {
    waiting.add(static_cast<double>(tickets) - static_cast<double>(shown));
    shown = tickets;
  }

  const std::uint8_t index;
  const std::string name;
  const std::int64_t share;
  std::int64_t credit = 0;  // who is called next, while several lanes wait: smooth weighted round robin
  TicketQueue line;
  std::deque<Call> calls;           // in the order of `until`
  std::vector<std::uint64_t> late;  // unknown ones whose turn came after a restart, until the lease is over
  WriteBehind disk;

  base::Gauge waiting;
  std::size_t shown = 0;  // of this lane in `waiting`
  base::Counter called, claimed, abandoned, unclaimed;
  base::Histogram waited;
};

/// A ticket whose turn came while there was no room where it would watch.
struct Passed {
  std::uint8_t lane;
  std::uint64_t number;
  std::int32_t joined;  // who came first is first
};

struct ChannelQueue {
  Scope* scope = nullptr;
  bool is_configured = false;
  bool was_configured = false;  // by this process, ever: a former one's sessions may be of a channel before it is
  bool is_open = true;
  std::optional<base::SteadyTime> opens_at;
  std::int64_t kbps = 5'000;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::map<std::uint32_t, std::deque<Passed>> passed;  // by list of places; none is empty

  std::uint64_t waiting() const;
  bool has_waiting() const;
};

struct Account {
  struct Device {
    SessionId session;
    std::string name;
    std::int64_t opened;
  };
  std::vector<Device> devices;  // the oldest first
};
using Accounts = std::unordered_map<std::string, Account>;

/// What a session takes up.
struct SessionHolding {
  ScopeSet scopes;
  Accounts::value_type* account = nullptr;
  std::int64_t kbps = 0;
  std::int64_t opened = 0;  // unix seconds; 0: not known
  std::int64_t until = 0;   // as it was written down, like idle_seconds
  std::int64_t idle_seconds = 0;
  std::uint64_t client = 0;  // a hash of the address; 0: not counted
  bool is_young = true;

  void last_for(std::chrono::milliseconds idle, std::int64_t now);
};

inline std::string_view name_of(const ScopeSet& set) { return set.node ? std::string_view(set.node->id) : ""; }
std::uint64_t client_of(const Visitor&);

struct Admission::Inner {
  Inner(const base::Clock&, base::Log&, base::Metrics&, const AccessSettings&, std::size_t max_known, ChannelLabelsPtr);

  // admission_decide.cpp
  Decision newcomer(ChannelQueue&, const Visitor&, std::chrono::milliseconds idle);
  Decision holder(ChannelQueue&, const Visitor&, const TicketClaim&, std::chrono::milliseconds idle);
  Decision spent(ChannelQueue&, const Visitor&, const TicketClaim&, bool was_claimed, std::chrono::milliseconds idle);
  Decision claim(ChannelQueue&, Lane&, const Visitor&, const TicketClaim&, TicketEntry&,
                 std::chrono::milliseconds idle);
  Decision join(ChannelQueue&, const Visitor&, const NodeScopesList&);
  Queued queued(const ChannelQueue&, Lane&, const TicketClaim&, bool is_new);
  bool may_enter(const ChannelQueue&, const ScopeSet&) const;
  /// The first place where a newcomer may watch at once.
  std::optional<ScopeSet> entrance(const ChannelQueue&, const NodeScopesList&);
  bool may_claim(const ScopeSet&) const;
  void hear(Lane&, const Visitor&, const TicketClaim&, TicketEntry&);
  /// The account's devices, when one more would be too many.
  Account* full_account(const Visitor&);
  /// Whether devices of the account may watch of which this process has not heard yet.
  bool is_unheard_account(const Visitor&) const;
  /// Whether the visitor's address has as many sessions as may be, without `leaving`, whose place would be the
  /// visitor's.
  bool is_address_full(const Visitor&, const Account* leaving = nullptr);
  /// For each step of a ticket: it was given, called, claimed, or lost its place.
  void record(std::string_view event, const Lane&, std::uint64_t number);
  bool give_up(std::string_view channel, const TicketClaim&);
  SessionId new_id();

  // admission_holdings.cpp
  bool open(SessionId, const Visitor&, const ScopeSet&, std::int64_t kbps, std::chrono::milliseconds idle);
  bool restore(SessionId, const SessionRecord&);
  SessionHolding& hold(SessionId, const Visitor&, const ScopeSet&, std::int64_t kbps, std::chrono::milliseconds idle);
  void write_down(SessionId, const SessionHolding&);
  void note_end(SessionId, std::chrono::milliseconds idle);
  /// The session is asked for from a network: why it is not answered, if it is not.
  std::optional<Renewal> hear_network(SessionId, const Visitor&);
  bool is_expired(SessionId, std::int64_t issued) const;
  std::optional<ScopeSet> way_back(const ChannelQueue&, const NodeScopesList&);
  /// The event log of the limits: with level "debug", a line for each change of the number of sessions.
  void record(std::string_view event, const ScopeSet&);
  bool drop(SessionId);
  void lapse(SessionId);
  void end(SessionId);
  void take_back(SessionId);
  bool move(SessionId, const NodeScopes&, bool must);
  std::int64_t lifetime_seconds() const {
    return std::chrono::ceil<std::chrono::seconds>(settings.token_lifetime).count();
  }

  // admission_calls.cpp
  ChannelQueue& channel(std::string_view id);
  NodeScopesList places_of(const Visitor&);
  ScopeSet scopes_at(const ChannelQueue&, const NodeScopes&);
  /// Of a called ticket, which has one place.
  ScopeSet scopes_of(const ChannelQueue& queue, const TicketEntry& entry) {
    return scopes_at(queue, lists.at(entry.place).front());
  }
  /// Where a ticket of the channel can be called to; nobody who came earlier waits for room there.
  std::optional<ScopeSet> vacancy(const ChannelQueue&, std::uint32_t place);
  void contest(const ChannelQueue&, std::uint32_t place);
  void replace(ChannelQueue&, Lane&, std::uint64_t number, TicketEntry&, const Visitor&);
  void pass(ChannelQueue&, Lane&, std::uint64_t number, const TicketEntry&);
  bool is_in_grace(base::SteadyTime now) const { return now < grace_until; }
  bool has_limits() const { return scopes.has_limits() || limits.max_sessions_per_account; }
  /// Calls who can be called, when something changed since.
  void catch_up();
  void call_next();
  void call_passed(ChannelQueue&);
  bool trim_passed(ChannelQueue&, std::deque<Passed>&);
  Lane* next_lane(ChannelQueue&);
  bool block_full(std::vector<ChannelQueue*>& waiting);
  ChannelQueue* first_in_line(const std::vector<ChannelQueue*>& waiting, std::size_t& skips);
  void find_head(Lane&, std::size_t& skips);
  void take_turn(ChannelQueue&, Lane&);
  void call(ChannelQueue&, Lane&, std::uint64_t number, TicketEntry&, const ScopeSet&);
  void tell_places();
  void forget_lists();
  void keep(const ScopeSet&, std::int64_t kbps, int by);
  /// The reservation; who asks as told always comes in time.
  std::chrono::milliseconds kept_for() const { return std::max(settings.reservation, settings.refresh * 3 / 2); }
  void expire(ChannelQueue&, Lane&);
  void finish_late(Lane&);
  void forget_client(const TicketEntry&);
  void open_if_due(ChannelQueue&);
  void open_queue(ChannelQueue&);
  void age();
  void sweep(ChannelQueue&, bool is_second);

  void set_sharing();

  // admission_store.cpp
  base::Status load_sessions();
  void write_behind(Lane&);
  std::uint64_t numbers_ahead(const Lane&) const;
  void on_written(Lane&, bool is_written);
  void take_up(Lane&);
  void set_limits(AccessLimits);
  void keep_limits(store::Store::OnCommitted on_durable);

  const base::Clock& clock;
  base::Log& log;
  base::Metrics& metrics;
  const ChannelLabelsPtr labels;
  Sessions sessions;

  mutable std::mutex mutex;
  AccessSettings settings;
  AccessLimits limits;
  bool limits_are_live = false;  // changed while running, or so by a former run
  Scopes scopes;
  NodeListIndex lists;
  std::map<std::string, std::unique_ptr<ChannelQueue>, std::less<>> channels;
  std::unordered_map<SessionId, SessionHolding> holdings;
  std::deque<std::pair<base::SteadyTime, SessionId>> young;
  Accounts accounts;
  Account nobody;                                             // where accounts may not watch at all
  std::unordered_map<std::uint64_t, std::uint32_t> clients;   // live tickets by address
  std::unordered_map<std::uint64_t, std::uint32_t> watching;  // sessions by address
  std::optional<base::SteadyTime> address_told;               // when the log said that one has too many
  PastSessions past;
  std::vector<SessionId> ids;  // random, for the next sessions
  bool has_changed = false;    // since call_next(): perhaps there is room
  bool has_backlog = false;    // call_next() stopped before its end
  bool has_contested = false;
  base::SteadyTime grace_until{};
  base::SteadyTime late_until{};  // tickets of a former run are waited for so long
  base::SteadyTime last_second{};
  bool is_stopping = false;
  store::Store* store = nullptr;
  std::map<std::string, TicketQueueRecord> records;  // of the former run, until their lanes exist

  base::Counter granted, queued_new, refused, uncounted, unwritten, address_full, shared;
  std::atomic<std::int64_t> most_networks{0};  // these three as in the settings, read without the lock
  std::atomic<std::chrono::milliseconds> handover{};
  std::atomic<SharingRule> sharing_rule{SharingRule::log};
  std::atomic<std::int64_t> unsaved{0};  // sessions on their way to the disk; the store's thread counts down

  std::atomic<bool> has_node_limits{false};
  base::Published<NodeLimits> node_limits{
      nullptr};  // as it was last, null at first; of no meaning while has_node_limits is false
};

}  // namespace tribune::access
