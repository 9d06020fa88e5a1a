#pragma once
// The door for cache nodes: POST /internal/v1/nodes/{id}. A heartbeat is believed when its signature fits, its time is
// near and it is no replay; the answer is the channel map and the node's live peers, signed the same way.

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "balancer/nodes/node_registry.h"
#include "balancer/settings/event_view.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/message.h"
#include "http/problem.h"

namespace tribune::balancer {

/// Any thread; locks inside.
class HeartbeatHandler {
 public:
  /// The parts outlive it. `listed` says which links of each channel are still in use; null while that is not known.
  HeartbeatHandler(const base::Clock&, base::Log&, base::Metrics&, NodeRegistry&, const PublishedView&,
                   std::function<std::shared_ptr<const contracts::ListedLinks>()> listed = {});

  http::Response answer(std::string_view node, const http::Request&);

  /// Of its group a node is not told those of which this holds. Before the first heartbeat.
  void leave_out(std::function<bool(std::string_view node)> is_behind) { is_behind_ = std::move(is_behind); }

 private:
  std::vector<contracts::Peer> peers_of(const contracts::Heartbeat&) const;
  http::Response refuse(base::Counter&, const http::ProblemType&, std::string_view node, const http::Request&,
                        std::string_view why);

  const base::Clock& clock_;
  base::Log& log_;
  NodeRegistry& nodes_;
  const PublishedView& view_;
  const std::function<std::shared_ptr<const contracts::ListedLinks>()> listed_;
  std::function<bool(std::string_view node)> is_behind_;
  base::Counter accepted_, malformed_, forged_, unknown_, replayed_;
};

}  // namespace tribune::balancer
