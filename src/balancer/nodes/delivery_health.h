#pragma once
// Whether a node delivers, by the requests of its viewers that its heartbeats count (contracts::NodeExperience).
//
// States of a node, set by judge()
//   fit       it delivers, or too few requests are known
//   degraded  it does not deliver, and keeps its viewers: most nodes fail because of the origin, or too few would be
//             left
//   unfit     it does not deliver: it gets no new viewers, and those that it has are moved. It stays unfit for at least
//             its unfit time, which doubles when it becomes unfit again within 5 min, and until no finding remains

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "balancer/nodes/node_comparison.h"
#include "base/clock.h"
#include "contracts/heartbeat.h"

namespace tribune::balancer {

/// The state of one node.
struct DeliveryRecord {
  std::string unfit;                  // why no viewers are sent to it; empty: fit or degraded
  std::string degraded;               // why it does not deliver well, and keeps its viewers
  bool is_unfit_by_origin = false;    // the origin may be the cause
  bool is_unfit_for_players = false;  // its players starve
  std::optional<base::SteadyTime> unfit_since;
  std::optional<base::SteadyTime> fit_again;      // when it was last released
  int times = 0;                                  // in a row, each within kRepeatWindow of the last
  std::optional<base::SteadyTime> origin_failed;  // when the origin last failed it; nullopt once it answered
  std::int64_t short_of_memory = 0;               // heartbeats in a row
  std::int64_t without_store = 0;                 // the same: its store does not work
};

/// The input of judge() for one node.
struct Judged {
  const contracts::Heartbeat* last;
  DeliveryRecord* record;
  ComparisonFinding compared;
  bool is_candidate = false;  // sends heartbeats, reports itself healthy, and is reachable
};

inline constexpr double kUnfitShare = 0.2;       // of viewers' requests that fail: unfit from there on
inline constexpr double kFitShare = 0.05;        // below it the node is fit again
inline constexpr std::int64_t kMinRequests = 5;  // fewer give no finding
inline constexpr std::int64_t kScarceHeartbeats =
    2;  // heartbeats in a row that report "scarce"; one that reports "spent" is enough
inline constexpr std::int64_t kHeartbeatsWithoutStore = 2;  // in a row
inline constexpr std::chrono::seconds kMinUnfitTime{10};
inline constexpr std::chrono::seconds kMaxUnfitTime{120};
inline constexpr std::chrono::minutes kRepeatWindow{5};
inline constexpr std::chrono::seconds kOriginFailureCounts{60};

/// Call it with each heartbeat, before judge().
void record_experience(DeliveryRecord&, const contracts::Heartbeat&, base::SteadyTime now);

/// The result of judge(), beside the records.
struct Judgement {
  bool has_changed = false;         // of a record
  bool is_origin_to_blame = false;  // most candidates fail because of the origin
};

/// Sets the state of all nodes. Of the candidates no more than half (rounded up) become unfit, and never the last one.
Judgement judge(std::vector<Judged>&, base::SteadyTime now);

}  // namespace tribune::balancer
