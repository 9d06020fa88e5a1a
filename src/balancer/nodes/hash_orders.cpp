#include "balancer/nodes/hash_orders.h"

#include <mutex>

#include "base/rendezvous.h"

namespace tribune::balancer {

std::shared_ptr<const HashOrders::Order> HashOrders::of(std::string_view channel) const {
  {
    const std::shared_lock lock(mutex_);
    const auto found = kept_.find(channel);
    if (found != kept_.end()) return found->second;
  }
  std::vector<base::RendezvousCandidate> candidates;
  candidates.reserve(members_.size());
  for (const auto& member : members_)
    candidates.push_back({member.id, member.capacity_mbps > 0 ? member.capacity_mbps : 1});
  auto order = std::make_shared<Order>();
  for (const auto place : base::rendezvous_order(candidates, channel))
    order->push_back(static_cast<std::uint32_t>(place));
  const std::unique_lock lock(mutex_);
  if (kept_.size() < kKept) kept_.emplace(channel, order);
  return order;
}

}  // namespace tribune::balancer
