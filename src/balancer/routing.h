#pragma once
// Which cache node serves a session, and why. Pure functions.

#include <string_view>

#include "balancer/nodes.h"

namespace tribune::balancer {

/// Why a node was chosen, or that there is none; printed as one word in the access log.
enum class RoutingReason {
  client_cache,    // the client found that cache reachable, and it is usable
  first_usable,    // the first usable node of the list
  least_bad,       // no node is usable: the one that was heard last
  no_node,         // no node has an address
};

/// The words are literals.
std::string_view word(RoutingReason);

/// What is known of the one who asks.
struct RoutingQuestion {
  std::string_view preferred;  // the cache that the client named; empty: none
};

/// `node` lives in the table; null only for no_node.
struct RoutingChoice {
  const NodeState* node = nullptr;
  RoutingReason reason = RoutingReason::no_node;
};

RoutingChoice choose_node(const NodeTable&, const RoutingQuestion&);

}  // namespace tribune::balancer
