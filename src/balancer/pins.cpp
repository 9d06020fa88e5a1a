#include "balancer/pins.h"

#include <algorithm>

namespace tribune::balancer {
namespace {

bool is_same(const NodeAddress& a, const NodeAddress& b) { return a.id == b.id && a.url == b.url; }

/// Whether nobody answers at a pin's address any more: its node is silent, moved elsewhere or was taken out.
bool is_gone(const NodeAddress& address, const NodeTable& nodes) {
  const auto* state = nodes.find(address.id);
  return !state || state->condition == NodeCondition::down || state->address->url != address.url;
}

/// Neighbours of one node become one pin.
void merge(std::vector<Pin>& pins) {
  const auto end = std::unique(pins.begin(), pins.end(), [](const Pin& a, const Pin& b) { return is_same(*a.node, *b.node); });
  pins.erase(end, pins.end());
}

void switch_to(std::vector<Pin>& pins, const std::shared_ptr<const NodeAddress>& chosen, std::int64_t from) {
  if (!pins.empty() && is_same(*pins.back().node, *chosen)) return;
  // A pin from the same MSN has shown nothing yet.
  while (!pins.empty() && pins.back().first_msn >= from) pins.pop_back();
  pins.push_back({from, chosen});
  merge(pins);
}

void drop_passed(std::vector<Pin>& pins, std::int64_t first_listed) {
  while (pins.size() > 1 && (pins[1].first_msn <= first_listed || pins.size() > kMaxPins)) pins.erase(pins.begin());
}

LinkPins effective(const std::vector<Pin>& pins, const Window& window) {
  LinkPins links;
  for (const auto& pin : pins) {
    if (!links.empty() && pin.first_msn >= window.next_msn) break;
    if (pin.first_msn <= window.first_msn) links.clear();
    links.push_back({links.empty() ? 0 : pin.first_msn, pin.node->url});
  }
  return links;
}

}  // namespace

LinkPins PinBoard::pin(access::SessionId id, const Window& window, const NodeTable& nodes, const std::shared_ptr<const NodeAddress>& chosen,
                       bool takes_rewriting) {
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  auto& session = shard.sessions[id];
  if (takes_rewriting) {
    for (auto& pin : session.pins)
      if (is_gone(*pin.node, nodes)) pin.node = chosen;
    merge(session.pins);
  }
  switch_to(session.pins, chosen, session.pins.empty() ? window.first_msn : std::max(session.listed_to, window.first_msn));
  session.listed_to = std::max(session.listed_to, window.next_msn);
  drop_passed(session.pins, window.first_msn - kRenditionLag);
  return effective(session.pins, window);
}

void PinBoard::prefer(access::SessionId id, std::string_view node) {
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  shard.sessions[id].preferred = node;
}

std::string PinBoard::preferred(access::SessionId id) const {
  const auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.sessions.find(id);
  return found == shard.sessions.end() ? std::string() : found->second.preferred;
}

void PinBoard::release(access::SessionId id) {
  auto& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  shard.sessions.erase(id);
}

std::size_t PinBoard::size() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.sessions.size();
  }
  return sum;
}

}  // namespace tribune::balancer
