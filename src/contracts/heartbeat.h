#pragma once
// The report that a cache node sends to the balancer every second, and the response: POST /internal/v1/nodes/{id},
// JSON, signed. Values and pure functions.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tribune::contracts {

/// Requests, failures and timings of a node's viewers and fills within its last seconds.
struct NodeExperience {
  std::int64_t requests = 0;            // requests of viewers, served or rejected
  std::int64_t failures = 0;            // part of `requests`: status 5xx, or cut because the fill failed
  std::int64_t failures_by_origin = 0;  // part of `failures`: caused by the origin's response or its absence
  /// Part of `failures_by_origin`: caused by a status that the origin sent; the node's route works.
  std::int64_t failures_by_origin_status = 0;
  std::int64_t origin_asks = 0;      // requests of fills to origins that have ended
  std::int64_t origin_failures = 0;  // part of `origin_asks`: no response
  std::int64_t peer_asks = 0;        // requests of fills to other nodes that have ended
  std::int64_t peer_failures = 0;    // part of `peer_asks`: no response, or status 5xx
  bool operator==(const NodeExperience&) const = default;
};

/// What the origins of a channel answered to a node's fills since its start.
struct ChannelAnswers {
  std::string channel;
  std::int64_t delivered = 0;
  std::int64_t refused_in_a_row = 0;  // objects refused since the last delivered one; 0: the last one was delivered
  bool operator==(const ChannelAnswers&) const = default;
};

/// The share of `of` that failed, 0 to 1.
double share(std::int64_t failures, std::int64_t of);

/// Where a balancer's numbering of one channel stands: it has listed no segment with `next_msn` or a larger number.
struct ListedNumber {
  std::string epoch;               // of the numbering
  std::int64_t next_msn = 0;       // at most kLargestListedNumber, like the next one
  std::int64_t discontinuity = 0;  // the largest discontinuity sequence number that it has listed
  bool operator==(const ListedNumber&) const = default;
};

/// Larger numbers in a message are refused: half of what a timeline accepts of a source, so that enough remain.
inline constexpr std::int64_t kLargestListedNumber = 50'000'000'000'000;

/// By channel. A node keeps in memory what each balancer has listed, and a balancer that starts asks for it: the disk
/// with its own record may have been full.
using ListedNumbers = std::map<std::string, ListedNumber, std::less<>>;

/// Messages name at most so many channels, the first ones by id.
inline constexpr std::size_t kMaxListedNumbers = 2'000;

struct Heartbeat {
  std::string node;
  /// Where viewers reach it: "http://host:port", or with a path that a proxy in front of it removes.
  std::string public_url;
  std::string group;          // group of nodes that share fills; empty: none
  std::string peer_url;       // where the nodes of its group reach it; empty: public_url
  std::string version;        // version of the program
  std::string run;            // random, new at each start of the node
  std::int64_t sequence = 0;  // counts a run's heartbeats from 1; distinguishes a stepped clock from a replay
  std::int64_t sent_unix_ms = 0;
  bool healthy = true;
  std::string reason;    // the reason why it is not healthy, or is degraded
  double sent_mbps = 0;  // to viewers, over the last second
  /// `sent_mbps` by channel: the busiest ones, at most kMaxHeartbeatChannels. nullopt: the node does not report it.
  std::optional<std::vector<std::pair<std::string, double>>> channel_mbps;
  double capacity_mbps = 0;  // configured
  std::int64_t connections = 0;
  std::int64_t sessions = 0;          // viewers of the last seconds, by connection
  std::int64_t player_reports = 0;    // requests of the last seconds with CMCD
  std::int64_t player_networks = 0;   // networks of clients with such requests, estimated
  std::int64_t starved_networks = 0;  // part of it: a player reported an empty buffer
  double rebuffer_ratio = 0;          // the share of those requests that report an empty buffer
  double player_mbps = 0;             // mean of the throughput that players measured; 0: none reported
  std::int64_t objects = 0;
  std::int64_t stored_bytes = 0;
  std::int64_t max_bytes = 0;
  std::int64_t disk_free_bytes = 0;
  NodeExperience experience;
  std::vector<ChannelAnswers> origin_answers;  // of the refused and busiest channels, at most kMaxAnsweredChannels
  std::string memory;                          // "plenty", "scarce" or "spent"; empty: not reported
  std::int64_t descriptors = 0;                // open ones; 0: unknown
  std::int64_t max_descriptors = 0;
  /// What this balancer has listed, when it asked for it; nullopt otherwise.
  std::optional<ListedNumbers> listed_numbers;
  bool operator==(const Heartbeat&) const = default;
};

inline constexpr std::size_t kMaxHeartbeatChannels = 100;
inline constexpr std::size_t kMaxAnsweredChannels = 32;
/// Receivers reject longer heartbeats.
inline constexpr std::size_t kMaxHeartbeatBytes = 512 * 1024;

std::string to_json(const Heartbeat&);
/// Errors: invalid_input for a text that is malformed, too long, has negative numbers, or has no node, run and sent
/// time. Unknown members are ignored.
base::Result<Heartbeat> heartbeat_from_json(std::string_view text);

/// A node of the same group that is up. The response to a heartbeat names all of them, the sender included.
struct Peer {
  std::string id;
  std::string url;  // "http://host:port"
  bool operator==(const Peer&) const = default;
};

/// The response names the first ones by id; no group is larger.
inline constexpr std::size_t kMaxPeers = 256;

/// Maps a channel to the expiry, in unix seconds, of the oldest link that its playlists still list. Nodes accept links
/// with this or a later expiry even after it has passed. A channel that lists only recent links is absent.
using ListedLinks = std::map<std::string, std::int64_t, std::less<>>;

/// Maps a channel to those of its backup origins ("http://host:port") that have other files than its source. A channel
/// without such a backup is absent.
using DistrustedBackups = std::map<std::string, std::vector<std::string>, std::less<>>;
inline constexpr std::size_t kMaxDistrustedBackups = 64;  // of a channel

/// What a response says of listed numbers. `wanted`: the balancer has started and asks the node to include the numbers
/// that it knows in its next heartbeat.
struct NumbersOfAnswer {
  ListedNumbers listed;
  bool wanted = false;
};

/// The response to a heartbeat: the JSON of the channel map with more members, which older nodes ignore: the peers, the
/// listed links (absent while the balancer does not know them), the reason why the balancer sends no viewers to the
/// node (absent when it does), the distrusted backups (absent without any), and the listed numbers.
std::string heartbeat_answer(std::string_view channel_map_json, const std::vector<Peer>&,
                             const std::optional<ListedLinks>& listed = std::nullopt, std::string_view unfit = "",
                             const DistrustedBackups& distrusted = {}, const NumbersOfAnswer& numbers = {});
/// The peers that a response names; empty when it has no such member. `unfit` receives the reason why the balancer
/// sends no viewers to this node. Errors: invalid_input.
base::Result<std::vector<Peer>> peers_from_answer(std::string_view answer, std::string* unfit = nullptr);
/// nullopt when the response has no such member: the links of an earlier response stay valid. `distrusted` receives
/// the distrusted backups. Errors: invalid_input.
base::Result<std::optional<ListedLinks>> listed_from_answer(std::string_view answer,
                                                            DistrustedBackups* distrusted = nullptr);
/// Without numbers when the response has no such member. Errors: invalid_input.
base::Result<NumbersOfAnswer> numbers_from_answer(std::string_view answer);

/// "/internal/v1/nodes/{id}". The context that is signed (sign_body) is "POST " and this path for a heartbeat, "200 "
/// and this path for its response.
std::string heartbeat_path(std::string_view node);

}  // namespace tribune::contracts
