#pragma once
// How many may watch, and how much traffic they may make. Values and pure functions.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace tribune::access {

/// Of one scope. Nothing: no limit. 0: nobody.
struct Limit {
  std::optional<std::int64_t> max_sessions;
  std::optional<double> max_traffic_mbps;
  bool operator==(const Limit&) const = default;
};

/// What a limit holds for: everything, a channel, a group of nodes, or a node.
enum class ScopeKind { global, channel, group, node };
std::string_view to_string(ScopeKind);

/// What is done when an account would watch on more devices than it may.
enum class AccountRule { refuse, take_over };
std::string_view to_string(AccountRule);

using NamedLimits = std::map<std::string, Limit, std::less<>>;

/// A session counts in every scope that it lies in, and is admitted only when all of them have room.
struct AccessLimits {
  Limit global;
  NamedLimits channels, groups, nodes;
  std::optional<std::int64_t> max_sessions_per_account;
  AccountRule account_rule = AccountRule::refuse;  // of the configuration; not changed live
  bool operator==(const AccessLimits&) const = default;

  NamedLimits* named(ScopeKind);  // null for global
  const NamedLimits* named(ScopeKind) const;
};

/// Members "max_sessions", "max_traffic_mbps" (a number or null), "max_sessions_per_account", and "channels", "groups",
/// "nodes" with objects of the first two by id.
void write_members(base::json::Writer&, const AccessLimits&);

/// Replaces what the document names and leaves the rest; null takes a limit away. Errors: invalid_input for an unknown
/// member, an id that is none, a number that is negative, no number or beyond 10^9; `limits` is then as before.
base::Status apply_changes(AccessLimits& limits, std::string_view json);

}  // namespace tribune::access
