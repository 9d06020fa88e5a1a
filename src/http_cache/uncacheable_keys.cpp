#include "http_cache/uncacheable_keys.h"

namespace tribune::http_cache {
namespace {

constexpr std::size_t kMaxKeys = 16'384;
constexpr std::size_t kMaxKeyBytes = 2'048;
constexpr std::chrono::seconds kRemembered{60};

}  // namespace

void UncacheableKeys::add(const std::string& key, base::WallTime now) {
  if (key.size() > kMaxKeyBytes) return;
  const std::lock_guard lock(mutex_);
  if (since_.size() >= kMaxKeys && !since_.contains(key)) since_.clear();
  since_[key] = now;
}

void UncacheableKeys::remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  since_.erase(key);
}

bool UncacheableKeys::contains(const std::string& key, base::WallTime now) const {
  const std::lock_guard lock(mutex_);
  const auto found = since_.find(key);
  return found != since_.end() && now - found->second < kRemembered;
}

}  // namespace tribune::http_cache
