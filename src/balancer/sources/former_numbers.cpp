#include "balancer/sources/former_numbers.h"

namespace tribune::balancer {

void FormerNumbers::start(runtime::Worker& worker, const std::vector<std::string>& nodes) {
  if (!store_.may_lack_writes()) return;
  if (nodes.empty()) return store_.confirm_complete();
  {
    const std::lock_guard lock(mutex_);
    awaited_.insert(nodes.begin(), nodes.end());
  }
  sources_.await_former_numbers();
  worker.loop.post([this, &worker] { wait_ = worker.loop.after(kWaitForNodes, [this] { begin_numbering(); }); });
}

void FormerNumbers::begin_numbering() {
  sources_.begin_numbering();
  store_.confirm_complete();
}

bool FormerNumbers::wants(std::string_view node) const {
  const std::lock_guard lock(mutex_);
  return !heard_.contains(node);
}

void FormerNumbers::take(std::string_view node, const contracts::ListedNumbers& former) {
  {
    const std::lock_guard lock(mutex_);
    if (!heard_.emplace(node).second) return;
  }
  sources_.continue_above(former);
  bool is_complete = false;
  {  // after its numbers, so that the last of two nodes does not begin without those of the other
    const std::lock_guard lock(mutex_);
    is_complete = awaited_.erase(std::string(node)) > 0 && awaited_.empty();
  }
  if (is_complete) begin_numbering();
}

}  // namespace tribune::balancer
