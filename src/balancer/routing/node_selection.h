#pragma once
// Selects the cache node that serves a viewer: ranks in a fixed order, the first rank that yields a node decides. Pure
// functions over an immutable table; only the viewer counts of the nodes change while they run.
//
//   0 pathway                  the group of the pathway that the player follows, while that group has a node for it
//   1 receipt, client_cache    a node for which the client presents a valid receipt, or a node that the client names
//                              and may use
//   2 deep_zone, zone,         the group of the client's network, the deep zone first, then the fallbacks of each zone
//     fallback_group
//   3 nearest_group            the groups nearest to the client's location, by distance
//   4 default_group            the default groups; without any, all open groups in the order of the nodes
//   5 origin                   if the channel allows it; before all others for a client that reports that it reaches
//                              no node
//   6 least_bad                no node is usable: the node in the best condition
//
// A node takes no new viewer once its limit, or the limit of its group, is reached: the viewer gets the next node of
// the ranks. When every usable node is full, the ranks decide without regard to limits, before the origin is
// considered: a new viewer waits for the selected node, and a viewer that must leave its node is sent there anyway.
//
// Within a group the channel's rendezvous order decides; a node that has more than load_factor times its fair share of
// the group's viewers is skipped. A viewer keeps its node while that node is as good as a new choice.
//
// The ranks are the sequence of ranked_candidates.h. Three functions consume it: choose_node(), alternatives() and
// rank_groups().

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/node_limits.h"
#include "balancer/nodes/node_table.h"
#include "balancer/routing/geography.h"
#include "balancer/routing/routing_reason.h"
#include "balancer/routing/zones.h"
#include "base/ip_address.h"

namespace tribune::balancer {

/// The pathway that leads to the origin. No group has this name, because group names are in lower case.
inline constexpr std::string_view kOriginPathway = "ORIGIN";

/// Values; immutable once read.
struct RoutingRules {
  std::vector<std::string> default_groups;
  std::map<std::string, Coordinates, std::less<>> group_coordinates;
  double load_factor = 1.25;
  std::int64_t balance_from = 50;  // a node with fewer viewers is never skipped because of its share
  double overload = 0.95;          // of a node's capacity: the node takes no new viewers from there on
  double return_below = 0.8;       // of a node's capacity: above it no viewer returns to a better rank
  std::chrono::milliseconds ramp{30'000};
  double ramp_start = 0.1;
  std::chrono::milliseconds drain_time{30'000};
};

/// The configuration that a selection uses. Immutable.
struct RoutingView {
  RoutingRules rules;
  std::shared_ptr<const Zones> zones;          // null: none
  std::shared_ptr<const Geography> geography;  // null: none
};

/// What is known of the client. The views must outlive the call.
struct RoutingQuestion {
  std::optional<base::IpAddress> client{};
  std::string_view channel{};
  std::vector<std::string_view> proved{};  // nodes of valid receipts, the nearest first
  std::string_view named{};                // the cache that the client names; empty: none
  std::string_view pathway{};              // the group whose pathway the player follows, or kOriginPathway; empty: none
  std::string_view current{};              // the node that serves this session; empty: none yet
  std::string_view gone{};                 // the node that this client reports as unreachable; empty: none
  bool prefers_origin = false;             // the client reports that it reaches no node, and may use the origin
  std::uint64_t session = 0;               // spreads the viewers of a drained node over the drain time
  bool may_use_origin = false;
  base::SteadyTime now{};
  const access::NodeLimits* limits = nullptr;  // null: none
};

/// `node` points into the table; null for origin and no_node.
struct RoutingChoice {
  const NodeState* node = nullptr;
  RoutingReason reason = RoutingReason::no_node;
  bool stays = false;    // it is the session's current node
  bool is_full = false;  // its limit is reached, and so is the limit of every other usable node
};

/// The ids of a node and of its group, as access uses them.
access::NodeRef node_ref(const NodeState&);

RoutingChoice choose_node(const NodeTable&, const RoutingView&, const RoutingQuestion&);

/// A candidate that a selection examined, or a rank that yields none.
struct Considered {
  RoutingReason rank;
  std::string group;
  std::string node;
  std::string verdict;  // "serves", or why not
};
using SelectionTrace = std::vector<Considered>;

/// Like choose_node(), but appends every rank and candidate to the trace, also those after the chosen one, and chooses
/// a member of a large group by the current load instead of sums that are up to 50 ms old.
RoutingChoice trace_choice(const NodeTable&, const RoutingView&, const RoutingQuestion&, SelectionTrace&);

/// The nodes to which a viewer without a node may be sent, in the order of the ranks and of the channel, whatever their
/// limits. Ends at the first node that has no limit, and has at most access::kMaxNodeChoices entries. The views point
/// into the table.
struct Alternatives {
  std::vector<access::NodeRef> nodes;
  std::vector<RoutingReason> ranks;  // of each node
};

/// `limits` of the question must be set.
Alternatives alternatives(const NodeTable&, const RoutingView&, const RoutingQuestion&);

/// The state of a group for one viewer.
struct GroupStanding {
  std::string_view group;  // points into the table
  RoutingReason rank{};
  bool is_open = false;      // a node of it takes this viewer, or keeps it
  bool is_strained = false;  // at most half of its nodes take viewers
};

/// The groups to which this viewer may be sent, in the order of the ranks, at most `max_groups`. The pathway that the
/// player follows is ignored.
std::vector<GroupStanding> rank_groups(const NodeTable&, const RoutingView&, const RoutingQuestion&,
                                       std::size_t max_groups);

/// The share of its capacity that a node may use now: below 1 for rules.ramp after its return.
double ramp_factor(const NodeState&, const RoutingRules&, base::SteadyTime now);

}  // namespace tribune::balancer
