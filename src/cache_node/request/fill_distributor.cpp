#include "cache_node/request/fill_distributor.h"

#include <atomic>

namespace tribune::cache_node {

void FillDistributor::distribute(std::vector<std::string> targets, std::function<void()> on_begun) {
  std::vector<std::vector<std::string>> shares(workers_.size());
  for (auto& target : targets) shares[next_worker_++ % workers_.size()].push_back(std::move(target));
  const auto remaining = std::make_shared<std::atomic<std::size_t>>(workers_.size());
  for (std::size_t i = 0; i < workers_.size(); ++i)
    workers_[i]->loop.post([this, &worker = *workers_[i], share = std::move(shares[i]), remaining, on_begun] {
      for (const auto& target : share) begin_(worker, target);
      if (--*remaining == 0) workers_.front()->loop.post(on_begun);
    });
}

}  // namespace tribune::cache_node
