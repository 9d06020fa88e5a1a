#pragma once
// The sessions that watch: the scopes, account and address that each of them counts for, its record on disk, and the
// sessions that are over. It does not decide whether a session may be opened.
//
// A session's states
//   watching   open(), adopt() of a session that this process does not know, or restore() of a former run's
//   lapsed     not renewed in time; its token opens it again while that is valid          (lapse)
//   ended      stopped, or replaced by another device of the account: its token is void   (end)
//   discarded  its token never reached the client                                         (discard)

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "access/access_settings.h"
#include "access/access_store.h"
#include "access/account_devices.h"
#include "access/address_counts.h"
#include "access/capacity.h"
#include "access/past_sessions.h"
#include "access/scope.h"
#include "access/session_record.h"
#include "access/sessions.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

namespace tribune::access {

/// Owned by its Admission, under whose lock it is used. The referenced parts outlive it; `sessions` has locks of its
/// own, and is changed by this class alone but for renewals that extend a known session.
class AdmittedSessions {
 public:
  AdmittedSessions(const base::Clock&, base::Log&, base::Metrics&, const AccessSettings&, std::size_t max_past,
                   Sessions&, Capacity&, AccessStore&);

  /// Returns an id that no session has.
  SessionId new_id();

  /// Opens a session and counts it in `scopes`, with `kbps` until the measured traffic contains it. False at the bound.
  bool open(SessionId, const Visitor&, const ScopeSet& scopes, std::int64_t kbps, std::chrono::milliseconds idle);
  /// Counts a session whose token proves that it was admitted.
  Sessions::Renewal adopt(SessionId, const Visitor&, const ScopeSet& scopes, std::int64_t kbps,
                          std::chrono::milliseconds idle);
  /// Restores a session from the record of the former process. False at the bound.
  bool restore(SessionId, const SessionRecord&, Scope* channel);
  /// Reads the past sessions, and keeps their changes in the store.
  base::Status load_past(store::Store&);

  bool contains(SessionId id) const { return counted_.contains(id); }
  /// Counts the session at another node from now on. Without `must`, returns false and changes nothing when the node
  /// has no capacity. True for a session that is not counted.
  bool move(SessionId, const NodeScopes&, bool must);
  /// Writes the new deadline to the store.
  void save_deadline(SessionId, std::chrono::milliseconds idle);
  /// Brings the deadline forward; a renewal moves it back. False when the session is not known.
  bool shorten(SessionId, std::chrono::milliseconds rest);

  void lapse(SessionId);
  void end(SessionId);
  void discard(SessionId);

  bool is_ended(SessionId id) const { return past_.is_ended(id); }
  /// Whether the token was issued longer than its lifetime ago, and nothing proves that it was used since.
  bool is_expired(SessionId, std::int64_t issued) const;
  std::size_t past_count() const { return past_.size(); }

  /// The visitor's account when one more device would be too many, else nullptr.
  const WatchingAccount* full_account(const Visitor&) const;
  /// Whether devices of the account may still watch that have not returned since the restart.
  bool is_account_incomplete(const Visitor&) const;
  /// Whether the visitor's address has max_sessions_per_address sessions. `replaced`: the account whose oldest session
  /// would be ended for the visitor, and does not count. Counts and logs a refusal.
  bool is_address_full(const Visitor&, const WatchingAccount* replaced = nullptr);
  /// The scopes that the session counts in. The session must be counted.
  const ScopeSet& scopes_of(SessionId id) const { return counted_.at(id).scopes; }

  /// Lets sessions older than traffic_settles count by the measured traffic, up to 5,000 in one call.
  void settle_traffic();
  /// Writes sessions again whose record could not be written. Call it once a second.
  void save_failed();
  /// Removes past sessions whose time is over. Call it once a second.
  void sweep_past();

 private:
  struct Counted {
    ScopeSet scopes;
    AccountDevices::Entry* account = nullptr;
    std::int64_t kbps = 0;
    std::int64_t opened = 0;  // unix seconds; 0: not known
    std::int64_t until = 0;   // the stored value, as is idle_seconds
    std::int64_t idle_seconds = 0;
    std::uint64_t client = 0;  // client_hash
    bool is_young = true;

    void set_deadline(std::chrono::milliseconds idle, std::int64_t now);
  };
  Counted& count(SessionId, const Visitor&, const ScopeSet&, std::int64_t kbps, std::chrono::milliseconds idle);
  void uncount(SessionId);
  void save(SessionId, const Counted&);
  void log_change(std::string_view event, const ScopeSet&);
  std::int64_t unix_now() const { return base::unix_seconds(clock_.wall_now()); }
  std::int64_t lifetime_seconds() const {
    return std::chrono::ceil<std::chrono::seconds>(settings_.token_lifetime).count();
  }

  const base::Clock& clock_;
  base::Log& log_;
  const AccessSettings& settings_;
  Sessions& sessions_;
  Capacity& capacity_;
  AccessStore& store_;
  PastSessions past_;
  std::unordered_map<SessionId, Counted> counted_;
  std::deque<std::pair<base::SteadyTime, SessionId>> young_;
  AccountDevices accounts_;
  AddressCounts addresses_;
  std::optional<base::SteadyTime> address_full_logged_;
  std::vector<SessionId> random_ids_;
  base::Counter address_full_;
};

}  // namespace tribune::access
