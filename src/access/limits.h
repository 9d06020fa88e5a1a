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

/// The number of sessions with this traffic for which the limit has capacity; nullopt when it is unlimited.
std::optional<std::int64_t> most_sessions(const Limit&, std::int64_t kbps_of_session);

/// The part of `all` that one client address gets without a setting: a fiftieth, at least kLeastPerAddress and at most
/// `most`. `most` also when `all` is not limited, or 0: then nobody is admitted, and a viewer who waits is not refused.
std::int64_t part_of_address(std::optional<std::int64_t> all, std::int64_t most);
inline constexpr std::int64_t kLeastPerAddress = 20;
inline constexpr std::int64_t kMostSessionsPerAddress = 20'000;
inline constexpr std::int64_t kMostTicketsPerAddress = 2'000;
/// An IPv6 /48 gets this many times what an address, a /64, gets: a provider gives one customer a /56 or a /48.
inline constexpr std::int64_t kAddressesPerNetwork = 16;

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
