#include "net/server/connection_limits.h"

#include "net/server/http_server.h"

#include <algorithm>

namespace tribune::net {

std::shared_ptr<ConnectionLimits::WorkerEntry> ConnectionLimits::add_worker(EventLoop& loop,
                                                                            std::function<void()> evict) {
  auto worker = std::make_shared<WorkerEntry>(loop, std::move(evict));
  const std::lock_guard lock(mutex_);
  workers_.push_back(worker);
  return worker;
}

void ConnectionLimits::remove_worker(const std::shared_ptr<WorkerEntry>& worker) {
  const std::lock_guard lock(mutex_);
  std::erase(workers_, worker);
}

bool ConnectionLimits::enter(const IpAddress& address, std::int64_t most) {
  const auto counted = address.counted();
  auto& part = parts_.of(IpAddressHash{}(counted));
  const std::lock_guard lock(part.mutex);
  auto& count = part.count[counted];
  if (count >= most) return false;
  ++count;
  return true;
}

void ConnectionLimits::leave(const IpAddress& address) {
  const auto counted = address.counted();
  auto& part = parts_.of(IpAddressHash{}(counted));
  const std::lock_guard lock(part.mutex);
  const auto at = part.count.find(counted);
  if (at != part.count.end() && --at->second == 0) part.count.erase(at);
}

bool ConnectionLimits::evict_longest_idle(const std::shared_ptr<WorkerEntry>& own) {
  std::shared_ptr<WorkerEntry> chosen;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& worker : workers_)
      if (worker->idle_since_ != WorkerEntry::kNever && (!chosen || worker->idle_since_ < chosen->idle_since_))
        chosen = worker;
    if (!chosen) return false;
    // Posting under the lock: a server removes its worker before the loop ends, so the loop exists here. The call
    // holds the worker weakly, because the server may be destroyed when it runs.
    if (chosen != own) {
      chosen->loop_.post([weak = std::weak_ptr<WorkerEntry>(chosen)] {
        if (const auto worker = weak.lock()) worker->evict_();
      });
      return true;
    }
  }
  chosen->evict_();
  return true;
}

bool ConnectionLimits::claim(const std::string& address) {
  const std::lock_guard lock(mutex_);
  return claimed_.insert(address).second;
}

std::shared_ptr<ConnectionLimits> make_connection_limits() { return std::make_shared<ConnectionLimits>(); }

}  // namespace tribune::net
