#pragma once
// Why routing selected a node: the rank of node_selection.h that yielded it.

#include <string_view>

namespace tribune::balancer {

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

/// The name in logs and status documents, as a literal.
std::string_view to_string(RoutingReason);
/// An explanation for an operator, as a literal: "the client's network has a coverage zone, and ...".
std::string_view because(RoutingReason);

}  // namespace tribune::balancer
