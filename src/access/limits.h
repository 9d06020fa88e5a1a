#pragma once
// Limits of sessions and traffic. Values and pure functions.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace tribune::access {

/// Limit of one scope; nullopt means unlimited, 0 admits no session.
struct Limit {
  std::optional<std::int64_t> max_sessions;
  std::optional<double> max_traffic_mbps;
  bool operator==(const Limit&) const = default;
};

/// The kind of scope that a limit applies to: the whole event, a channel, a group of nodes, or a node.
enum class ScopeKind { global, channel, group, node };
std::string_view to_string(ScopeKind);

/// The rule for a device that asks for a session when its account has the maximum number of sessions.
enum class AccountRule { refuse, take_over };
std::string_view to_string(AccountRule);

using NamedLimits = std::map<std::string, Limit, std::less<>>;

/// A session counts in the global scope and in those of its channel, group and node, and is admitted only when all of
/// them have capacity.
struct AccessLimits {
  Limit global;
  NamedLimits channels, groups, nodes;
  std::optional<std::int64_t> max_sessions_per_account;
  AccountRule account_rule = AccountRule::refuse;  // from the configuration; cannot be changed while running
  bool operator==(const AccessLimits&) const = default;

  NamedLimits* named(ScopeKind);  // null for global
  const NamedLimits* named(ScopeKind) const;
};

/// Members "max_sessions", "max_traffic_mbps" (a number or null), "max_sessions_per_account", and "channels", "groups",
/// "nodes" with objects of the first two by id.
void write_members(base::json::Writer&, const AccessLimits&);

/// Replaces the limits that the document names and keeps the others; null removes a limit. Errors: invalid_input for an
/// unknown member, an invalid id, or a value that is no number from 0 to 10^9; `limits` is then unchanged.
base::Status apply_changes(AccessLimits& limits, std::string_view json);

}  // namespace tribune::access
