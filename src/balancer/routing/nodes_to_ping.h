#pragma once
// The nodes that a client should ping. A response contains a receipt, which makes the node the client's first choice
// (RoutingReason::receipt). A pure function over an immutable table.

#include <cstddef>
#include <vector>

#include "balancer/routing/node_selection.h"

namespace tribune::balancer {

/// The maximum number of nodes in a list, and of those the number from closed groups.
inline constexpr std::size_t kMaxNodesToPing = 8;
inline constexpr std::size_t kMaxClosedNodesToPing = 4;

/// First up to two nodes of each group to which the client may be sent, in the order of the ranks. Then one node of
/// each group that zones close to the client and that a receipt would open, deep zones first. Within a group the order
/// is that of the channel. All of them take viewers; limits are not considered. The result points into the table.
std::vector<const NodeState*> nodes_to_ping(const NodeTable&, const RoutingView&, const RoutingQuestion&);

}  // namespace tribune::balancer
