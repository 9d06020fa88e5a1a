#pragma once
// URIs whose last response could not be stored. The conditions of a request for one of them are left to the origin,
// which may answer with a 304; for all other URIs the cache asks for the whole response and evaluates them itself.

#include <chrono>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace tribune::http_cache {

/// Any thread; locks inside. Bounded: when it is full, it forgets.
class UncacheableKeys {
 public:
  void add(const std::string& key, base::WallTime now);
  void remove(const std::string& key);
  bool contains(const std::string& key, base::WallTime now) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, base::WallTime> since_;
};

}  // namespace tribune::http_cache
