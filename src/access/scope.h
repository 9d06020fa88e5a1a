#pragma once
// The use of one limit: sessions, capacity reserved for called tickets, and traffic. It makes no decisions about
// tickets.

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/admission_types.h"
#include "access/limits.h"
#include "base/clock.h"

namespace tribune::access {

/// The whole event, a channel, a group or a node. Owned by its Admission, under whose lock it is used. Traffic is in
/// whole kbit/s, so that additions and subtractions cancel exactly.
struct Scope {
  ScopeKind kind = ScopeKind::global;
  std::string id;
  Limit limit;
  Drill drill;  // for the global scope and for channels

  std::int64_t sessions = 0;
  std::int64_t reserved = 0;  // for called tickets
  std::int64_t reserved_kbps = 0;
  std::int64_t predicted_kbps = 0;  // for all sessions
  std::int64_t young_kbps = 0;      // for sessions that the measured traffic does not contain yet
  std::int64_t measured_kbps = 0;
  bool is_measured = false;   // heartbeats of the last 5 s contain its traffic
  bool is_contested = false;  // an earlier ticket waits for capacity here (capacity.h)

  /// The traffic of its sessions and of called tickets.
  std::int64_t load_kbps() const { return (is_measured ? measured_kbps + young_kbps : predicted_kbps) + reserved_kbps; }
  bool has_limit() const { return limit.max_sessions || limit.max_traffic_mbps; }
  /// Whether one more session of `kbps` fits.
  bool has_capacity(std::int64_t kbps) const;
};

/// The scopes that a session or a ticket counts in; group and node may be null.
struct ScopeSet {
  Scope* global = nullptr;
  Scope* channel = nullptr;
  Scope* group = nullptr;
  Scope* node = nullptr;

  template <class F>
  void each(F f) const {
    for (auto* scope : {global, channel, group, node})
      if (scope) f(*scope);
  }
  /// The widest scope without capacity; null when all scopes have capacity.
  Scope* first_full(std::int64_t kbps) const;
};

/// All scopes, and the traffic that the nodes measure. Owned by its Admission, under whose lock it is used.
class Scopes {
 public:
  Scopes() { global_.id = "global"; }

  Scope& global() { return global_; }
  const Scope& global() const { return global_; }
  /// Returns the scope, and creates it on first use. Null for an empty id, and beyond 10,000 scopes of a kind.
  Scope* at(ScopeKind, std::string_view id);
  const Scope* find(ScopeKind, std::string_view id) const;

  void set(const AccessLimits&);
  bool has_limits() const { return has_limits_; }

  void measured(const Traffic&, base::SteadyTime now);
  /// Removes nodes without a heartbeat for 5 s.
  void expire_nodes(base::SteadyTime now);

  void clear_contested();

  template <class F>
  void each(F f) const {
    f(global_);
    for (const auto& kind : scopes_)
      for (const auto& [id, scope] : kind) f(*scope);
  }

 private:
  /// The mean over the last 5 heartbeats, because segments are sent in bursts.
  class Mean {
   public:
    void add(std::int64_t kbps);
    std::int64_t value() const;

   private:
    std::deque<std::int64_t> kbps_;
  };
  struct Node {
    std::string group;
    Mean all;
    std::map<std::string, Mean, std::less<>> channels;
    bool reports_channels = false;
    base::SteadyTime last_heartbeat;
  };
  void sum_up();

  Scope global_;
  std::array<std::map<std::string, std::unique_ptr<Scope>, std::less<>>, 4> scopes_;  // by kind
  bool has_limits_ = false;
  std::map<std::string, Node, std::less<>> nodes_;
};

}  // namespace tribune::access
