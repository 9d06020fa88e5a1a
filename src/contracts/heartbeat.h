#pragma once
// What a cache node tells the balancer every second, and what it hears: POST /internal/v1/nodes/{id}, JSON, signed.
// Values and pure functions.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/signing.h"
#include "contracts/origin_path.h"

namespace tribune::contracts {

struct Event;

/// What a node's viewers and fills met within its last seconds.
struct NodeExperience {
  std::int64_t requests = 0;            // of viewers, answered or refused
  std::int64_t failures = 0;            // of them: answered 5xx, or cut because the fill failed
  std::int64_t failures_by_origin = 0;  // of those: because of what the origin answered, or did not
  std::int64_t failures_by_origin_status =
      0;                             // of those: because of a status that the origin answered; the node's route is fine
  std::int64_t origin_asks = 0;      // questions of fills to origins that came to an end …
  std::int64_t origin_failures = 0;  // … without an answer
  std::int64_t peer_asks = 0;        // the same of other nodes …
  std::int64_t peer_failures = 0;    // … without an answer, or with 5xx
  bool operator==(const NodeExperience&) const = default;
};

/// Of them the share that failed, 0 to 1.
double share(std::int64_t failures, std::int64_t of);

struct Heartbeat {
  std::string node;
  std::string
      public_url;     // where viewers reach it: "http://host:port", or with a path that a proxy in front of it removes
  std::string group;  // of nodes that share fills; empty: none
  std::string peer_url;       // where the nodes of its group reach it; empty: public_url
  std::string version;        // of the program
  std::string run;            // random, new at each start of the node
  std::int64_t sequence = 0;  // counts a run's heartbeats from 1, so that a stepped clock looks like no replay
  std::int64_t sent_unix_ms = 0;
  bool healthy = true;
  std::string reason;    // why not healthy, or degraded
  double sent_mbps = 0;  // to viewers, over the last second
  /// Of it, by channel: the busiest, no more than kMaxHeartbeatChannels. Nothing: the node does not say.
  std::optional<std::vector<std::pair<std::string, double>>> channel_mbps;
  double capacity_mbps = 0;  // configured
  std::int64_t connections = 0;
  std::int64_t sessions = 0;        // viewers seen lately, by connection
  std::int64_t player_reports = 0;  // requests of the last seconds with which players said how it goes
  double rebuffer_ratio = 0;        // the share of those whose player had run out of buffer
  double player_mbps = 0;           // what players measured on average; 0 when none did
  std::int64_t objects = 0;
  std::int64_t stored_bytes = 0;
  std::int64_t max_bytes = 0;
  std::int64_t disk_free_bytes = 0;
  NodeExperience experience;
  std::string memory;            // "plenty", "scarce" or "spent"; empty: the node does not say
  std::int64_t descriptors = 0;  // open ones; 0: the node does not know
  std::int64_t max_descriptors = 0;
  bool operator==(const Heartbeat&) const = default;
};

inline constexpr std::size_t kMaxHeartbeatChannels = 100;
/// No heartbeat is longer; receivers refuse what is.
inline constexpr std::size_t kMaxHeartbeatBytes = 16 * 1024;

std::string to_json(const Heartbeat&);
/// Errors: invalid_input for what is malformed, too long, negative or without node, run and sent time. Members of newer
/// versions are passed over.
base::Result<Heartbeat> heartbeat_from_json(std::string_view text);

/// A node of the same group that is up: the answer to a heartbeat names them all, the asker included.
struct Peer {
  std::string id;
  std::string url;  // "http://host:port"
  bool operator==(const Peer&) const = default;
};

/// No group is larger; the answer names the first ones by id.
inline constexpr std::size_t kMaxPeers = 256;

/// By channel: the expiry, in unix seconds, of the oldest link that its playlists still list. Nodes accept links that
/// expire from then on although their time is over. A channel whose links are all young is not named.
using ListedLinks = std::map<std::string, std::int64_t, std::less<>>;

/// The answer to a heartbeat: the map's JSON, and beside its members the peers, the listed links (left out while the
/// balancer does not know them), and why the balancer sends no viewers to the node (empty: it does). A node that knows
/// none of them passes them over.
std::string heartbeat_answer(std::string_view channel_map_json, const std::vector<Peer>&,
                             const std::optional<ListedLinks>& listed = std::nullopt, std::string_view unfit = "");
/// The peers that an answer names; none for the answer of a balancer that knows no groups. `unfit`: why the balancer
/// sends no viewers here. Errors: invalid_input.
base::Result<std::vector<Peer>> peers_from_answer(std::string_view answer, std::string* unfit = nullptr);
/// Nothing when the answer does not say it: what was heard before holds on. Errors: invalid_input.
base::Result<std::optional<ListedLinks>> listed_from_answer(std::string_view answer);

struct ChannelEntry {
  std::string id;
  OriginSet origins;
  bool operator==(const ChannelEntry&) const = default;
};

/// The channels that a node may fill for. Immutable value; kept by nodes on disk for when the balancer is away.
struct ChannelMap {
  std::string version;  // changes with the content
  std::vector<ChannelEntry> channels;
  const ChannelEntry* find(std::string_view id) const;
  bool operator==(const ChannelMap&) const = default;
};

/// The map of the event's channels; the version is made from the content, so that equal maps have equal versions.
ChannelMap channel_map(const Event&);

std::string to_json(const ChannelMap&);
/// Errors: invalid_input for what is malformed, over 4 MiB, or names an origin that is no http(s) URL.
base::Result<ChannelMap> channel_map_from_json(std::string_view text);

/// The header that signs a body: "X-Tribune-Signature: {key id}.{unix ms}.{mac}". The purpose and `context` (method and
/// path) are signed with it.
inline constexpr std::string_view kSignatureHeader = "X-Tribune-Signature";

/// "/internal/v1/nodes/{id}"; the context of a heartbeat is "POST " and this path, the context of its answer "200 " and
/// it.
std::string heartbeat_path(std::string_view node);

/// Empty when the ring cannot sign.
std::string sign_body(const base::KeyRing&, std::string_view context, std::string_view body, base::WallTime now);
/// Errors: forbidden for a missing, forged or damaged signature, or one made more than `skew` before or after `now`.
base::Status verify_body(const base::KeyRing&, std::string_view context, std::string_view body, std::string_view header,
                         base::WallTime now, std::chrono::milliseconds skew);

}  // namespace tribune::contracts
