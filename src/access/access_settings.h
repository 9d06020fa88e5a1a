#pragma once
// The section "access" of a configuration: limits, and how the waiting queue behaves.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "access/limits.h"
#include "access/session_networks.h"
#include "base/clock.h"
#include "config/section.h"

namespace tribune::access {

inline constexpr std::int64_t kNoLimit = -1;

/// The limits of a channel, a group of nodes or a node; -1 means unlimited.
struct NamedLimitSettings {
  std::string id;
  std::int64_t max_sessions = kNoLimit;
  std::int64_t max_traffic_mbps = kNoLimit;
  std::string opens_at;  // for a channel: RFC 3339 time, or empty
};

/// A priority lane of every channel's queue.
struct LaneSettings {
  std::string name;
  std::int64_t share = 1;
};

/// Values; immutable once read.
struct AccessSettings {
  std::int64_t max_sessions = kNoLimit;
  std::int64_t max_traffic_mbps = kNoLimit;
  std::int64_t max_sessions_per_account = kNoLimit;
  AccountRule account_rule = AccountRule::refuse;
  std::vector<NamedLimitSettings> channels, groups, nodes;
  std::vector<LaneSettings> lanes;     // empty: one lane, "general"
  std::int64_t max_queue = 1'000'000;  // tickets of one channel in all lanes
  std::int64_t max_tickets_per_address = 2'000;
  std::int64_t max_sessions_per_address = 20'000;
  std::int64_t max_networks_per_session = 4;
  SharingRule sharing_rule = SharingRule::log;
  SharingRule paid_sharing_rule = SharingRule::refuse;
  std::chrono::milliseconds handover{120'000};
  std::chrono::milliseconds refresh{10'000};
  std::int64_t lease_intervals = 3;
  std::chrono::milliseconds reservation{30'000};
  std::chrono::milliseconds restart_grace{10'000};
  std::chrono::milliseconds token_lifetime{std::chrono::hours{48}};
  std::chrono::milliseconds traffic_settles{10'000};

  std::chrono::milliseconds lease() const {
    return lease_intervals * refresh * 6 / 5;
  }  // the interval with its greatest spread
  AccessLimits limits() const;
};

const config::Section<AccessSettings>& access_section();

}  // namespace tribune::access
