#pragma once
// Compares nodes with each other: what happens to one node only is its fault, and what happens to all is not.
//
// - Refusals. The origin answers a node's requests for a channel with error statuses, and delivers the channel to
//   another node in the meantime. Where no other node asks for the channel, a node whose viewers fail is taken for the
//   cause until another node is refused, too: then the origin is the cause.
// - Starving players. Of the client networks whose players report their state (CMCD), many run out of buffer at one
//   node, and few at the other nodes of its group. A client can forge reports, so that networks are counted and not
//   reports, and at most one node of a group is judged by them at a time.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "contracts/heartbeat.h"

namespace tribune::balancer {

inline constexpr std::int64_t kMinRefusals = 5;  // objects in a row; fewer give no finding
/// Between the refusals of one node and a delivery to another one that contradicts them: heartbeats report a second at
/// once.
inline constexpr std::chrono::seconds kReportInterval{1};
inline constexpr std::chrono::seconds kRefusalsCount{10};  // a contradiction, or the last refusal
inline constexpr std::chrono::seconds kOthersRefusalsCount{60};
inline constexpr std::int64_t kMinStarvedNetworks = 5;
inline constexpr double kStarvedShare = 0.3;        // of a node's networks: starving from there on …
inline constexpr double kOthersStarvedShare = 0.1;  // … while the share at the others of its group is below this

/// A node that sends heartbeats.
struct ComparedNode {
  std::string_view id, group;
  const contracts::Heartbeat* last;
  bool is_out_for_players = false;  // it was taken out because its players starve
};

/// Why a node is worse than the others; empty: it is not.
struct ComparisonFinding {
  std::string refused;   // the origin refuses it
  std::string starving;  // its players run out of buffer
};

/// Not thread-safe; NodeRegistry holds its lock.
class NodeComparison {
 public:
  /// Call it with each heartbeat, before compare().
  void record(const contracts::Heartbeat&, base::SteadyTime now);
  /// A finding for each node.
  std::vector<ComparisonFinding> compare(const std::vector<ComparedNode>&, base::SteadyTime now);

 private:
  /// What one node's heartbeats say about a channel.
  struct Channel {
    std::int64_t delivered = 0, refused_in_a_row = 0;
    base::SteadyTime delivered_at{}, delivered_before_at{};  // the last two heartbeats with deliveries
    base::SteadyTime row_began_at{}, refused_at{}, contradicted_at{};
  };
  struct Node {
    std::string run;
    std::map<std::string, Channel, std::less<>> channels;  // of its last heartbeat, at most kMaxAnsweredChannels
  };
  std::string refusal_of(const ComparedNode&, base::SteadyTime now) const;
  bool is_contradicted(std::string_view node, std::string_view channel, base::SteadyTime row_began_at,
                       base::SteadyTime now) const;

  std::map<std::string, Node, std::less<>> nodes_;
};

}  // namespace tribune::balancer
