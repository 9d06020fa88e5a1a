#include "balancer/node_push/snapshot_hold.h"

#include <algorithm>
#include <utility>

namespace tribune::balancer {

bool SnapshotHold::is_held(const Hold& hold, std::string_view node, access::SessionId session) {
  return std::find(hold.nodes.begin(), hold.nodes.end(), node) != hold.nodes.end() && !hold.shown.count(session);
}

void SnapshotHold::hold(std::int64_t number, SnapshotPtr former, const std::vector<std::string>& nodes) {
  const std::lock_guard lock(mutex_);
  holds_.push_back({number, std::move(former), nodes});
  holds_any_ = true;
}

void SnapshotHold::open(std::int64_t number, std::string_view node) {
  Hold over;  // destroyed without the lock
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(holds_.begin(), holds_.end(), [&](const Hold& hold) { return hold.number == number; });
    if (found == holds_.end()) return;
    std::erase(found->nodes, node);
    for (auto& [waits_for, call] : found->waiting)
      if (waits_for == node) calls.push_back(std::move(call));
    std::erase_if(found->waiting, [&](const auto& waits) { return waits.first == node; });
    if (found->nodes.empty()) {
      over = std::move(*found);
      holds_.erase(found);
      holds_any_ = !holds_.empty();
    }
  }
  for (const auto& call : calls) call();
}

void SnapshotHold::end(std::int64_t number) {
  Hold over;
  {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(holds_.begin(), holds_.end(), [&](const Hold& hold) { return hold.number == number; });
    if (found == holds_.end()) return;
    over = std::move(*found);
    holds_.erase(found);
    holds_any_ = !holds_.empty();
  }
  for (const auto& [node, call] : over.waiting) call();
}

void SnapshotHold::end() {
  std::deque<Hold> over;
  {
    const std::lock_guard lock(mutex_);
    over.swap(holds_);
    holds_any_ = false;
  }
  for (const auto& hold : over)
    for (const auto& [node, call] : hold.waiting) call();
}

void SnapshotHold::forget() {
  std::deque<Hold> over;
  const std::lock_guard lock(mutex_);
  over.swap(holds_);
  holds_any_ = false;
}

SnapshotPtr SnapshotHold::visible(const SnapshotPtr& newest, std::string_view node, access::SessionId session) {
  if (!holds_any_) return newest;
  const std::lock_guard lock(mutex_);
  for (auto& hold : holds_) {
    if (is_held(hold, node, session)) return hold.former;
    hold.shown.insert(session);
  }
  return newest;
}

bool SnapshotHold::wait(std::string_view node, access::SessionId session, std::function<void()> on_open) {
  const std::lock_guard lock(mutex_);
  const auto held =
      std::find_if(holds_.begin(), holds_.end(), [&](const Hold& hold) { return is_held(hold, node, session); });
  if (held == holds_.end()) return false;
  held->waiting.emplace_back(node, std::move(on_open));
  return true;
}

}  // namespace tribune::balancer
