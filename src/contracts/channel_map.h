#pragma once
// The channels of an event with their origins, as the balancer sends them to cache nodes. Values and pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contracts/origin_path.h"

namespace tribune::contracts {

struct Event;

struct ChannelEntry {
  std::string id;
  OriginSet origins;
  std::vector<OriginSet> former = {};  // that a node knew before, the newest first; a balancer sends none
  /// The origins that paths of that epoch refer to; nullopt when they are unknown.
  std::optional<OriginSet> origins_of(std::string_view epoch) const;
  bool operator==(const ChannelEntry&) const = default;
};

inline constexpr std::size_t kMaxFormerOrigins = 8;  // of a channel

/// The channels that a node may fill for. An immutable value; nodes store it on disk and use it while no balancer
/// answers.
struct ChannelMap {
  std::string version;  // changes with the content
  std::vector<ChannelEntry> channels;
  const ChannelEntry* find(std::string_view id) const;
  bool operator==(const ChannelMap&) const = default;
};

/// The map of the event's channels. The version is a hash of the content: equal maps have equal versions.
ChannelMap channel_map(const Event&);

/// The map with the origins of `known` as former ones, where its own are others: links that were listed with them are
/// still requested.
ChannelMap with_former(ChannelMap map, const ChannelMap& known);

std::string to_json(const ChannelMap&);
/// Errors: invalid_input for a text that is malformed, over 4 MiB, or names an origin that is not an http(s) URL.
base::Result<ChannelMap> channel_map_from_json(std::string_view text);

}  // namespace tribune::contracts
