#pragma once
// The content of each heartbeat: the store, the traffic since the last heartbeat, and the results that viewers and
// players observed. HeartbeatSender adds node, run, sequence number and time.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/published.h"
#include "cache_node/disk/object_files.h"
#include "cache_node/load/channel_traffic.h"
#include "cache_node/load/duress.h"
#include "cache_node/load/fill_metrics.h"
#include "cache_node/load/node_metrics.h"
#include "cache_node/load/origin_answers.h"
#include "cache_node/load/viewer_estimate.h"
#include "cache_node/load/viewer_experience.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/settings/node_view.h"
#include "contracts/heartbeat.h"

namespace tribune::cache_node {

/// The parts that the content is read from. They outlive it.
struct HeartbeatContentParts {
  const base::Clock& clock;
  base::Metrics& metrics;
  std::string_view version;  // version of the program
  const PublishedNodeView& view;
  const ObjectIndex& index;
  const ObjectFiles* files;  // null: a node without a disk
  NodeMetrics& viewer_requests;
  const NodeMetrics& node_requests;
  const FillMetrics& fills;
  ChannelTraffic& traffic;
  const OriginAnswers& origin_answers;
  ViewerEstimate& viewers;
  Duress& duress;
};

/// Owned by one worker, apart from recent_experience().
class HeartbeatContent {
 public:
  explicit HeartbeatContent(HeartbeatContentParts);

  /// The next heartbeat; rates are since the last one. `store_problem`: empty while the store works.
  contracts::Heartbeat next(std::string_view store_problem);

  /// The results of viewers' requests and of fills in the window that ended with the last heartbeat. Any thread.
  std::shared_ptr<const contracts::NodeExperience> recent_experience() const { return experience_.get(); }

 private:
  void add_traffic(contracts::Heartbeat&, base::SteadyTime now);
  void add_players(contracts::Heartbeat&) const;
  void add_store(contracts::Heartbeat&) const;
  void add_experience(contracts::Heartbeat&, base::SteadyTime now);
  void add_process(contracts::Heartbeat&) const;
  void start_window(base::SteadyTime now);

  const HeartbeatContentParts parts_;
  std::optional<base::SteadyTime> last_at_;
  double last_sent_bytes_ = 0;
  base::SteadyTime window_began_{};
  ViewerExperienceWindow window_;
  ViewerExperienceGauges gauges_;
  base::Published<contracts::NodeExperience> experience_{std::make_shared<contracts::NodeExperience>()};
};

}  // namespace tribune::cache_node
