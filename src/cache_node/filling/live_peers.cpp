#include "cache_node/filling/live_peers.h"

#include <algorithm>

namespace tribune::cache_node {

void LivePeers::take(const std::string& balancer, Peers said) {
  const std::lock_guard lock(mutex_);
  auto& word = reports_[balancer];
  if (word.is_current && word.peers == said) return;
  word = {std::move(said), true};
  publish();
}

void LivePeers::lost(const std::string& balancer) {
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
  for (const auto& [balancer, word] : reports_) {
    if (anyone && !word.is_current) continue;
    for (const auto& peer : word.peers) all.emplace(peer.id, peer);
  }
  auto peers = std::make_shared<Peers>();
  for (auto& [id, peer] : all) peers->push_back(std::move(peer));
  peers_.publish(std::move(peers));
}

}  // namespace tribune::cache_node
