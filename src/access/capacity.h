#pragma once
// Whether one more session fits: the limits of all scopes and of the process, and their use. It does not handle tickets
// or accounts, and opens no sessions.
//
// A scope is contested while an earlier ticket waits for capacity in it: no newcomer and no later ticket takes capacity
// there (contest, clear_contested).

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "access/admission_types.h"
#include "access/limits.h"
#include "access/node_limits.h"
#include "access/scope.h"
#include "access/sessions.h"
#include "base/clock.h"
#include "base/published.h"

namespace tribune::access {

/// Owned by its Admission, under whose lock it is used; node_limits() from any thread.
class Capacity {
 public:
  Capacity(const base::Clock&, const Sessions&);

  Scopes& scopes() { return scopes_; }
  const Scopes& scopes() const { return scopes_; }
  NodeListIndex& node_lists() { return node_lists_; }

  const AccessLimits& limits() const { return limits_; }
  void set_limits(AccessLimits);
  void set_account_rule(AccountRule rule) { limits_.account_rule = rule; }
  /// Applies the limits to scopes that were made since set_limits().
  void apply_limits() { scopes_.set(limits_); }
  bool has_limits() const { return scopes_.has_limits() || limits_.max_sessions_per_account; }

  /// The time after a restart in which the sessions of the former process return: no ticket is called, and a scope with
  /// a limit takes no newcomer.
  void set_grace_until(base::SteadyTime until) { grace_until_ = until; }
  bool is_in_grace() const { return clock_.steady_now() < grace_until_; }

  /// The nodes where the visitor may watch, in its order; at most kMaxNodeChoices.
  NodeScopesList nodes_of(const Visitor&);
  ScopeSet scopes_at(Scope* channel, const NodeScopes& node) {
    return {&scopes_.global(), channel, node.group, node.node};
  }

  /// The scopes of a called ticket, whose list has one node.
  ScopeSet scopes_of_called(Scope* channel, std::uint32_t node_list) {
    return scopes_at(channel, node_lists_.at(node_list).front());
  }

  /// The first of the nodes where a newcomer may watch at once; nullopt when it has to queue.
  std::optional<ScopeSet> find_for_newcomer(Scope* channel, std::int64_t kbps, const NodeScopesList&);
  /// The first of the nodes to which a ticket may be called.
  std::optional<ScopeSet> find_for_ticket(Scope* channel, std::int64_t kbps, std::uint32_t node_list);
  /// The first of the nodes where a session of the former process may continue.
  std::optional<ScopeSet> find_for_restored(Scope* channel, std::int64_t kbps, const NodeScopesList&);
  /// Whether a called ticket may be claimed. Its capacity is reserved, so false only after a limit was lowered, or
  /// while a drill is on.
  bool may_claim(const ScopeSet&) const;

  /// Reserves capacity for a called ticket.
  void reserve(const ScopeSet&, std::int64_t kbps);
  void cancel_reservation(const ScopeSet&, std::int64_t kbps);

  /// Marks the full scope of each node of the list.
  void contest(Scope* channel, std::int64_t kbps, std::uint32_t node_list);
  /// Marks the scope when it is full. True when it was.
  bool contest_if_full(Scope&, std::int64_t kbps);
  void clear_contested();

  /// Records that capacity may have become free since the last round of calls.
  void mark_changed() { has_changed_ = true; }
  bool has_changed() const { return has_changed_; }
  /// Begin a round of calls, or stop it before its end. After a stop, newcomers must not overtake the remaining
  /// tickets.
  void begin_round() { has_changed_ = has_backlog_ = false; }
  void stop_round() { has_changed_ = has_backlog_ = true; }

  /// Publishes which nodes and groups have a limit, and which are full for a session of `least_kbps`, the smallest of
  /// all channels; nullopt: there is no channel.
  void publish_node_limits(std::optional<std::int64_t> least_kbps);
  bool has_node_limits() const { return has_node_limits_; }
  /// The limits as published last. Null while no node and no group has a limit.
  std::shared_ptr<const NodeLimits> node_limits() const;

 private:
  bool admits_newcomer(const ScopeSet&, std::int64_t kbps) const;

  const base::Clock& clock_;
  const Sessions& sessions_;
  AccessLimits limits_;
  Scopes scopes_;
  NodeListIndex node_lists_;
  base::SteadyTime grace_until_{};
  bool has_changed_ = false;
  bool has_backlog_ = false;
  bool has_contested_ = false;
  std::atomic<bool> has_node_limits_{false};
  base::Published<NodeLimits> node_limits_{nullptr};  // null at first; not valid while has_node_limits_ is false
};

}  // namespace tribune::access
