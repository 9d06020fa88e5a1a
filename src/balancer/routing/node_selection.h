#pragma once
// Which cache node serves a viewer, and why: ranks in a fixed order, the first that yields a node decides. Pure
// functions over an immutable table; only the counts of viewers move while they run.
//
//   0 pathway                  the group of the pathway that the player follows, while that has a node for it
//   1 receipt, client_cache    a node that the client proved to reach, or names and may use
//   2 deep_zone, zone,         the group of the client's network, the deep zone first, then each zone's fallbacks
//     fallback_group
//   3 nearest_group            the groups near to the client's place, by distance
//   4 default_group            the default groups; without any, all open groups in the order of the nodes
//   5 origin                   if the channel allows it
//   6 least_bad                no node looks well: the one that looks least bad
//
// A node whose limit, or whose group's, is reached takes nobody new: whoever can goes to the next one of the ranks.
// When all are full, the ranks decide without regard to limits, before the origin is thought of: a newcomer waits for
// that node, a viewer who must leave his node goes there all the same.
//
// Within a group the channel's rendezvous order decides; a node that has more than load_factor times its fair share of
// the group's viewers is passed over. A viewer stays where he is while that node is as good as a new choice.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/account_sessions.h"
#include "balancer/nodes/node_table.h"
#include "balancer/routing/geography.h"
#include "balancer/routing/zones.h"
#include "base/ip_address.h"

namespace tribune::balancer {

/// The pathway that leads to the origin; no group has this name, for theirs are in lower case.
inline constexpr std::string_view kOriginPathway = "ORIGIN";

/// Printed as one word in the logs.
enum class RoutingReason {
  pathway,
  receipt,
  client_cache,
  deep_zone,
  zone,
  fallback_group,
  nearest_group,
  default_group,
  origin,
  least_bad,
  no_node
};

/// The words are literals.
std::string_view to_string(RoutingReason);
/// The same as a clause for an operator: "it serves, because …".
std::string_view because(RoutingReason);

/// Values; immutable once read.
struct RoutingRules {
  std::vector<std::string> default_groups;
  std::map<std::string, Coordinates, std::less<>> places;  // of groups
  double load_factor = 1.25;
  std::int64_t balance_from = 50;  // a node with fewer viewers is never passed over for its share
  double overload = 0.95;          // of a node's capacity: no new viewers from there on
  double return_below = 0.8;       // of a node's capacity: no viewer comes back to a better rank above
  std::chrono::milliseconds ramp{30'000};
  double ramp_start = 0.1;
  std::chrono::milliseconds drain_time{30'000};
};

/// All that decides besides the nodes. Immutable.
struct RoutingView {
  RoutingRules rules;
  std::shared_ptr<const Zones> zones;          // null: none
  std::shared_ptr<const Geography> geography;  // null: none
};

/// What is known of the one who asks. Views live as long as the question.
struct RoutingQuestion {
  std::optional<base::IpAddress> client{};
  std::string_view channel{};
  std::vector<std::string_view> proved{};  // nodes of believed receipts, the nearest first
  std::string_view named{};                // the cache that the client names; empty: none
  std::string_view pathway{};              // the group whose pathway the player follows, or kOriginPathway; empty: none
  std::string_view current{};              // the node that serves this session; empty: none yet
  std::string_view gone{};                 // the node that this client finds gone; empty: none
  std::uint64_t session = 0;               // spreads a drain over its time
  bool may_use_origin = false;
  base::SteadyTime now{};
  const access::AccountSessionLimits* limits = nullptr;  // null: none
};

/// `node` lives in the table; null for origin and no_node.
struct RoutingChoice {
  const NodeState* node = nullptr;
  RoutingReason reason = RoutingReason::no_node;
  bool stays = false;    // it is the session's current node
  bool is_full = false;  // its limit is reached, as that of every other one
};

access::AccountPlace place_of(const NodeState&);

/// Where a viewer without a node may be sent, in the order of the ranks and of the channel, however many watch there.
/// No further than to the first place that has no limit, and at most access::kMostPlaces. The views live in the table.
struct Alternatives {
  std::vector<access::AccountPlace> places;
  std::vector<RoutingReason> ranks;  // of each place
};

/// A candidate, or a rank without any, that a decision looked at.
struct Considered {
  RoutingReason rank;
  std::string group;
  std::string node;
  std::string verdict;  // "serves", or why not
};
using SelectionTrace = std::vector<Considered>;

/// `seen`, if given, gets every rank and candidate, also those behind the one that decided.
RoutingChoice choose_node(const NodeTable&, const RoutingView&, const RoutingQuestion&, SelectionTrace* seen = nullptr);

/// A group as it stands for one viewer.
struct GroupStanding {
  std::string_view group;  // lives in the table
  RoutingReason rank{};
  bool is_open = false;      // a node of it takes this viewer, or keeps them
  bool is_strained = false;  // at most half of its nodes take viewers
};

/// The groups that this viewer may be sent to, in the order of the ranks, at most `most`; a pathway does not matter.
std::vector<GroupStanding> rank_groups(const NodeTable&, const RoutingView&, const RoutingQuestion&, std::size_t most);

/// `limits` of the question must be given.
Alternatives alternatives(const NodeTable&, const RoutingView&, const RoutingQuestion&);

/// The share of its capacity that a node may take now: below 1 after its return.
double ramp_factor(const NodeState&, const RoutingRules&, base::SteadyTime now);

}  // namespace tribune::balancer
