#include "balancer/sources/former_numbers.h"

namespace tribune::balancer {

void FormerNumbers::start(runtime::Worker& worker, const std::vector<std::string>& nodes) {
  awaited_.insert(nodes.begin(), nodes.end());
  if (awaited_.empty()) return;
  sources_.await_former_numbers();
  worker.loop.post(
      [this, &worker] { wait_ = worker.loop.after(kWaitForNodes, [this] { sources_.begin_numbering(); }); });
}

bool FormerNumbers::wants(std::string_view node) const {
  const std::lock_guard lock(mutex_);
  return !heard_.contains(node);
}

void FormerNumbers::take(std::string_view node, const contracts::ListedNumbers& former) {
  bool is_complete = false;
  {
    const std::lock_guard lock(mutex_);
    if (!heard_.emplace(node).second) return;
    awaited_.erase(std::string(node));
    is_complete = awaited_.empty();
  }
  sources_.continue_above(former);
  if (is_complete) sources_.begin_numbering();
}

}  // namespace tribune::balancer
