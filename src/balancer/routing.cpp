#include "balancer/routing.h"

namespace tribune::balancer {
namespace {

/// A node that talks, though unwell, before one that is silent; among the silent the one heard last.
bool is_less_bad(const NodeState& a, const NodeState& b) {
  const bool a_talks = a.condition != NodeCondition::down, b_talks = b.condition != NodeCondition::down;
  if (a_talks != b_talks) return a_talks;
  return !a_talks && a.last_heard > b.last_heard;
}

}  // namespace

std::string_view word(RoutingReason reason) {
  switch (reason) {
    case RoutingReason::client_cache: return "client_cache";
    case RoutingReason::first_usable: return "first_usable";
    case RoutingReason::least_bad: return "least_bad";
    case RoutingReason::no_node: return "no_node";
  }
  return "unknown";
}

RoutingChoice choose_node(const NodeTable& table, const RoutingQuestion& question) {
  if (!question.preferred.empty()) {
    const auto* preferred = table.find(question.preferred);
    if (preferred && preferred->is_usable()) return {preferred, RoutingReason::client_cache};
  }
  for (const auto& node : table.nodes)
    if (node.is_usable()) return {&node, RoutingReason::first_usable};

  const NodeState* least_bad = nullptr;
  for (const auto& node : table.nodes) {
    if (node.address->url.empty()) continue;
    if (!least_bad || is_less_bad(node, *least_bad)) least_bad = &node;
  }
  return least_bad ? RoutingChoice{least_bad, RoutingReason::least_bad} : RoutingChoice{};
}

}  // namespace tribune::balancer
