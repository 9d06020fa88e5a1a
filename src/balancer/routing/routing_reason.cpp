#include "balancer/routing/routing_reason.h"

namespace tribune::balancer {

std::string_view to_string(RoutingReason reason) {
  switch (reason) {
    case RoutingReason::pathway: return "pathway";
    case RoutingReason::receipt: return "receipt";
    case RoutingReason::client_cache: return "client_cache";
    case RoutingReason::deep_zone: return "deep_zone";
    case RoutingReason::zone: return "zone";
    case RoutingReason::fallback_group: return "fallback_group";
    case RoutingReason::nearest_group: return "nearest_group";
    case RoutingReason::default_group: return "default_group";
    case RoutingReason::origin: return "origin";
    case RoutingReason::least_bad: return "least_bad";
    case RoutingReason::no_node: return "no_node";
  }
  return "unknown";
}

std::string_view because(RoutingReason reason) {
  switch (reason) {
    case RoutingReason::pathway: return "the player follows the pathway of this node's group";
    case RoutingReason::receipt: return "the client proved with a receipt that it can reach this node";
    case RoutingReason::client_cache: return "the client reported that it can reach this node, and may use it";
    case RoutingReason::deep_zone:
      return "the client's network is in a deep coverage zone, and this node is in the group of the zone";
    case RoutingReason::zone:
      return "the client's network is in a coverage zone, and this node is in the group of the zone";
    case RoutingReason::fallback_group:
      return "no node in the group of the zone can serve, and this node is in a fallback group";
    case RoutingReason::nearest_group:
      return "this node is in the group nearest to the client's location that can serve";
    case RoutingReason::default_group:
      return "no other rule applies to this client, and this node is in a default group";
    case RoutingReason::origin:
      return "no node can serve, or the client reaches none, and the channel allows its origin";
    case RoutingReason::least_bad: return "no node is usable, and this node has the least severe problem";
    case RoutingReason::no_node: return "no node has reported an address";
  }
  return "";
}

}  // namespace tribune::balancer
