#include "net/server/connection_limits.h"

#include "net/server/http_server.h"

#include <algorithm>

namespace tribune::net {

std::shared_ptr<ConnectionLimits::Shelf> ConnectionLimits::join(EventLoop& loop, std::function<void()> evict) {
  auto shelf = std::make_shared<Shelf>(loop, std::move(evict));
  const std::lock_guard lock(mutex_);
  shelves_.push_back(shelf);
  return shelf;
}

void ConnectionLimits::leave(const std::shared_ptr<Shelf>& shelf) {
  const std::lock_guard lock(mutex_);
  std::erase(shelves_, shelf);
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

bool ConnectionLimits::evict_longest_idle(const std::shared_ptr<Shelf>& own) {
  std::shared_ptr<Shelf> chosen;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& shelf : shelves_)
      if (shelf->idle_since_ != Shelf::kNever && (!chosen || shelf->idle_since_ < chosen->idle_since_)) chosen = shelf;
    if (!chosen) return false;
    // Posting under the lock: a server leaves the book before its loop ends, so the loop still stands here. The call
    // holds the shelf weakly, for the server may be gone when it runs.
    if (chosen != own) {
      chosen->loop_.post([weak = std::weak_ptr<Shelf>(chosen)] {
        if (const auto shelf = weak.lock()) shelf->evict_();
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

std::shared_ptr<ConnectionLimits> make_connection_book() { return std::make_shared<ConnectionLimits>(); }

}  // namespace tribune::net
