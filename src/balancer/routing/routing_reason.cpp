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
    case RoutingReason::receipt: return "the client proved by a receipt that it reaches this node";
    case RoutingReason::client_cache: return "the client says that it reaches this node, and may use it";
    case RoutingReason::deep_zone:
      return "the client's network has a deep coverage zone, and this node is of its group";
    case RoutingReason::zone: return "the client's network has a coverage zone, and this node is of its group";
    case RoutingReason::fallback_group:
      return "no node of the zone's own group can serve now, and this one is of a fallback group";
    case RoutingReason::nearest_group: return "it is of the group nearest to the client's place that can serve";
    case RoutingReason::default_group: return "no rule is nearer to this client, and this node is of a default group";
    case RoutingReason::origin: return "no node can serve now, and the channel allows its origin";
    case RoutingReason::least_bad: return "no node looks well, and this one looks least bad";
    case RoutingReason::no_node: return "no node has an address";
  }
  return "";
}

}  // namespace tribune::balancer
