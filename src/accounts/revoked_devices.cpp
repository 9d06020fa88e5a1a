#include "accounts/revoked_devices.h"

namespace tribune::accounts {

bool RevokedDevices::contains(DeviceId device) const {
  const auto& shard = shards_.of(device);
  const std::lock_guard lock(shard.mutex);
  return shard.devices.contains(device);
}

void RevokedDevices::add(const std::vector<Revocation>& revocations) {
  for (const auto& revocation : revocations) {
    auto& shard = shards_.of(revocation.device);
    const std::lock_guard lock(shard.mutex);
    shard.devices.insert_or_assign(revocation.device, revocation.at);
  }
}

void RevokedDevices::forget(base::WallTime until) {
  auto& shard = shards_[next_++];
  const std::lock_guard lock(shard.mutex);
  std::erase_if(shard.devices, [&](const auto& entry) { return entry.second <= until; });
}

std::size_t RevokedDevices::size() const {
  std::size_t count = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    count += shard.devices.size();
  }
  return count;
}

}  // namespace tribune::accounts
