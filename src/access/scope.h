#pragma once
// What one limit counts: sessions, room kept for called tickets, and traffic.

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/admission.h"
#include "access/limits.h"
#include "base/clock.h"

namespace tribune::access {

/// Everything, a channel, a group or a node. Owned by its Admission, under whose lock it is used. Traffic in whole
/// kbit/s, so that what was added and taken away again leaves nothing.
struct Scope {
  ScopeKind kind = ScopeKind::global;
  std::string id;
  Limit limit;
  Drill drill;  // of everything and of channels

  std::int64_t sessions = 0;
  std::int64_t kept = 0;  // called tickets
  std::int64_t kept_kbps = 0;
  std::int64_t predicted_kbps = 0;  // of all sessions
  std::int64_t young_kbps = 0;      // of those that the nodes' figures do not show yet
  std::int64_t measured_kbps = 0;
  bool is_measured = false;   // heard lately
  bool is_contested = false;  // somebody who came earlier waits for room here

  /// What it carries or is about to.
  std::int64_t load_kbps() const { return (is_measured ? measured_kbps + young_kbps : predicted_kbps) + kept_kbps; }
  bool has_limit() const { return limit.max_sessions || limit.max_traffic_mbps; }
  /// For one more, of so much traffic.
  bool has_room(std::int64_t kbps) const;
};

/// The scopes that a session or a ticket lies in; group and node may be null.
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
  /// The first without room, from the widest; null when all have it.
  Scope* full(std::int64_t kbps) const;
};

/// All scopes, and what the nodes measure. Owned by its Admission, under whose lock it is used.
class Scopes {
 public:
  Scopes() { global_.id = "global"; }

  Scope& global() { return global_; }
  const Scope& global() const { return global_; }
  /// Made when it is new. Null for an empty id, and beyond 10,000 of a kind.
  Scope* at(ScopeKind, std::string_view id);
  const Scope* find(ScopeKind, std::string_view id) const;

  void set(const AccessLimits&);
  bool has_limits() const { return has_limits_; }

  void measured(const Traffic&, base::SteadyTime now);
  /// Leaves out nodes that were silent for 5 s.
  void settle(base::SteadyTime now);

  template <class F>
  void each(F f) const {
    f(global_);
    for (const auto& kind : scopes_)
      for (const auto& [id, scope] : kind) f(*scope);
  }

 private:
  /// Of the last heartbeats: a segment goes out in bursts.
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
    bool tells_channels = false;
    base::SteadyTime heard;
  };
  void add_up();

  Scope global_;
  std::array<std::map<std::string, std::unique_ptr<Scope>, std::less<>>, 4> scopes_;  // by kind
  bool has_limits_ = false;
  std::map<std::string, Node, std::less<>> nodes_;
};

}  // namespace tribune::access
