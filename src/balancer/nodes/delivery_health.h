#pragma once
// Whether a node delivers, judged by what its heartbeats say that its viewers meet (contracts::NodeExperience).
//
// States of a node
//   fit      it delivers, or too little is known of it                                                    (judge)
//   failing  it does not deliver, and is spared: most nodes fail because of the origin, or too few would be left
//   (judge) unfit    it does not deliver: no new viewers, and those that it has are moved. For at least its term, which
//   doubles
//            each time that it comes soon again, and until nothing speaks against it any more                (judge)

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "contracts/heartbeat.h"

namespace tribune::balancer {

/// What is remembered of one node.
struct DeliveryRecord {
  std::string unfit;                // why no viewers are sent to it; empty: fit or spared
  std::string spared;               // why it does not deliver well, and is kept all the same
  bool is_unfit_by_origin = false;  // it may be that the origin fails everybody
  std::optional<base::SteadyTime> unfit_since;
  std::optional<base::SteadyTime> fit_again;      // when it was last released
  int times = 0;                                  // in a row, each soon after the last
  std::optional<base::SteadyTime> origin_failed;  // when the origin last failed it; nothing once the origin answered it
  std::int64_t short_of_memory = 0;               // heartbeats in a row
};

/// One node as the judge meets it.
struct Judged {
  const contracts::Heartbeat* last;
  DeliveryRecord* record;
  bool is_candidate = false;  // heard, well by its own account, and reached
};

inline constexpr double kUnfitShare = 0.2;          // of viewers' requests that fail …
inline constexpr double kFitShare = 0.05;           // … and below which a node is fit again
inline constexpr std::int64_t kEnoughRequests = 5;  // to judge by
inline constexpr std::int64_t kShortFor = 2;  // heartbeats in a row that say "scarce"; one that says "spent" is enough
inline constexpr std::chrono::seconds kFirstTerm{10};
inline constexpr std::chrono::seconds kLongestTerm{120};
inline constexpr std::chrono::minutes kSoon{5};
inline constexpr std::chrono::seconds kOriginFailureCounts{60};

/// To be called with each heartbeat, before judge().
void take_heartbeat(DeliveryRecord&, const contracts::Heartbeat&, base::SteadyTime now);

/// What the last round found, beside the records.
struct Judgement {
  bool has_changed = false;         // the record of some node
  bool is_origin_to_blame = false;  // most candidates fail because of the origin
};

/// Goes through all nodes. Of the candidates no more than half (rounded up) become unfit, and never the last one.
Judgement judge(std::vector<Judged>&, base::SteadyTime now);

}  // namespace tribune::balancer
