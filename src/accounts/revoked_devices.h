#pragma once
// The devices that were ended while access tokens of theirs may still be valid. A token that names one of them is
// refused without asking the store.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "accounts/account_settings.h"
#include "accounts/account_store.h"
#include "base/sharded.h"

namespace tribune::accounts {

/// A revocation counts for the longest lifetime of an access token, the largest event.clock_skew, and a step of the
/// clock.
inline constexpr std::chrono::minutes kRevocationLifetime{60 + 61};
static_assert(kRevocationLifetime >= kMaxAccessLifetime + std::chrono::hours(1));

/// Any thread; locks inside. Bounded by the devices that end within the lifetime of an access token.
class RevokedDevices {
 public:
  bool contains(DeviceId) const;
  void add(const std::vector<Revocation>&);
  /// Removes revocations up to this time from the next one of kShards parts of the table, so that a call is short.
  void forget(base::WallTime until);
  static constexpr std::size_t kShards = 64;
  std::size_t size() const;

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<DeviceId, base::WallTime> devices;
  };
  base::Sharded<Shard, kShards> shards_;
  std::atomic<std::size_t> next_{0};  // the shard of the next forget()
};

}  // namespace tribune::accounts
