#include "balancer/routing/viewer_eligibility.h"

#include <algorithm>
#include <chrono>

#include "base/hash.h"

namespace tribune::balancer {
namespace {

bool is_named_by(const Zone* zone, std::string_view group) {
  return zone && (zone->group == group ||
                  std::find(zone->fallback.begin(), zone->fallback.end(), group) != zone->fallback.end());
}

}  // namespace

std::string_view unusable_reason(const NodeState& node, base::SteadyTime now) {
  if (node.address->url.empty()) return "the node has not reported an address";
  if (node.condition == NodeCondition::down) return "down";
  if (node.condition == NodeCondition::unhealthy) return "unhealthy";
  if (node.held_until && now < *node.held_until) return "held: its heartbeats stopped and resumed too often";
  return "";
}

ViewerEligibility::ViewerEligibility(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question)
    : table_(table), view_(view), question_(question) {
  if (view.zones && question.client) zones_ = view.zones->find(*question.client);
  current_ = question.current.empty() ? nullptr : table.find(question.current);
  keeps_current_ = current_ && may_stay(*current_) && !is_gone(*current_);
}

/// Whether the node keeps this viewer: it serves, or its viewers leave it one after the other and this one's time has
/// not come.
bool ViewerEligibility::may_stay(const NodeState& node) const {
  const bool serves = unusable_reason(node, question_.now).empty();
  if (serves && !node.draining_since) return true;
  const auto since = serves ? node.draining_since : node.leaving_since;
  if (!since || (!serves && (node.is_lost_for_certain || node.address->url.empty()))) return false;
  const double share =
      static_cast<double>(base::multiplicative_hash(question_.session) >> 11) / static_cast<double>(1ull << 53);
  return question_.now - *since <
         std::chrono::duration_cast<base::SteadyTime::duration>(view_.rules.drain_time * share);
}

bool ViewerEligibility::may_use(std::string_view group) const {
  if (!view_.zones || !view_.zones->names_group(group)) return true;
  const auto& defaults = view_.rules.default_groups;
  return is_named_by(zones_.deep, group) || is_named_by(zones_.ordinary, group) ||
         std::find(defaults.begin(), defaults.end(), group) != defaults.end();
}

std::string_view ViewerEligibility::refusal(const NodeState& node) const {
  if (const auto why = unusable_reason(node, question_.now); !why.empty()) return why;
  if (node.draining_since) return "drained";
  if (is_gone(node)) return "the client reported the node as unreachable";
  // A viewer with a good node returns to a better one as that node ramps up. A viewer without a node is served wherever
  // there is capacity.
  if (keeps_current_ && node.utilisation() >= view_.rules.return_below * ramp(node))
    return "the utilisation is too high to move viewers back";
  if (node.utilisation() >= view_.rules.overload) return "overloaded";
  return "";
}

bool ViewerEligibility::takes_viewers(const NodeState& node) const {
  return unusable_reason(node, question_.now).empty() && !node.draining_since &&
         node.utilisation() < view_.rules.overload;
}

}  // namespace tribune::balancer
