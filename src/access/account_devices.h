#pragma once
// The devices that watch under each account. Owned by its Admission, under whose lock it is used. It does not end
// sessions: the caller applies the AccountRule.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/sessions.h"

namespace tribune::access {

struct WatchingAccount {
  struct Device {
    SessionId session;
    std::string name;
    std::int64_t opened;  // unix seconds; 0: not known
  };
  std::vector<Device> devices;  // the oldest first
};

class AccountDevices {
 public:
  using Entry = std::unordered_map<std::string, WatchingAccount>::value_type;  // key and account

  /// The account when `max_devices` of its devices watch, nullptr when one more may. When `max_devices` is 0, an
  /// account without devices.
  const WatchingAccount* full(std::string_view account, std::optional<std::int64_t> max_devices) const {
    if (account.empty() || !max_devices) return nullptr;
    if (*max_devices == 0) return &no_devices_;
    const auto found = accounts_.find(std::string(account));
    if (found == accounts_.end() || static_cast<std::int64_t>(found->second.devices.size()) < *max_devices)
      return nullptr;
    return &found->second;
  }

  /// The entry stays valid until its last device is removed.
  Entry* add(std::string_view account, SessionId session, std::string_view device, std::int64_t opened) {
    auto* entry = &*accounts_.try_emplace(std::string(account)).first;
    auto& devices = entry->second.devices;
    const auto is_before = [](std::int64_t time, const WatchingAccount::Device& other) { return time < other.opened; };
    devices.insert(std::upper_bound(devices.begin(), devices.end(), opened, is_before),
                   {session, std::string(device), opened});
    return entry;
  }

  void remove(Entry* entry, SessionId session) {
    auto& devices = entry->second.devices;
    std::erase_if(devices, [&](const auto& device) { return device.session == session; });
    if (devices.empty()) accounts_.erase(std::string(entry->first));
  }

 private:
  std::unordered_map<std::string, WatchingAccount> accounts_;
  const WatchingAccount no_devices_{};
};

}  // namespace tribune::access
