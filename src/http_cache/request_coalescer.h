#pragma once
// Requests that wait for a running fetch of the same URI instead of sending one of their own.

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tribune::http_cache {

/// Owned by one worker.
class RequestCoalescer {
 public:
  bool has_leader(const std::string& key) const { return waiting_.contains(key); }
  /// Records that the caller fetches this URI; further requests for it may wait.
  void lead(const std::string& key) { waiting_.try_emplace(key); }
  void wait(const std::string& key, std::function<void()> on_over) { waiting_[key].push_back(std::move(on_over)); }
  /// Records that the fetch has ended. The caller must call the returned callbacks.
  std::vector<std::function<void()>> over(const std::string& key) {
    auto node = waiting_.extract(key);
    return node ? std::move(node.mapped()) : std::vector<std::function<void()>>{};
  }

 private:
  std::unordered_map<std::string, std::vector<std::function<void()>>> waiting_;
};

}  // namespace tribune::http_cache
