#include "cache_node/filling/live_peers.h"

#include <algorithm>

namespace tribune::cache_node {

void LivePeers::update(const std::string& balancer, Peers reported) {
  const std::lock_guard lock(mutex_);
  auto& report = reports_[balancer];
  if (report.is_current && report.peers == reported) return;
  report = {std::move(reported), true};
  publish();
}

void LivePeers::mark_unreachable(const std::string& balancer) {
  const std::lock_guard lock(mutex_);
  const auto found = reports_.find(balancer);
  if (found == reports_.end() || !found->second.is_current) return;
  found->second.is_current = false;
  publish();
}

void LivePeers::publish() {
  const bool anyone =
      std::any_of(reports_.begin(), reports_.end(), [](const auto& entry) { return entry.second.is_current; });
  std::map<std::string, contracts::Peer> all;
  for (const auto& [balancer, report] : reports_) {
    if (anyone && !report.is_current) continue;
    for (const auto& peer : report.peers) all.emplace(peer.id, peer);
  }
  auto peers = std::make_shared<Peers>();
  for (auto& [id, peer] : all) peers->push_back(std::move(peer));
  peers_.publish(std::move(peers));
}

}  // namespace tribune::cache_node
