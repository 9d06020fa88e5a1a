#pragma once
// Heartbeats of cache nodes: POST /internal/v1/nodes/{id}. A heartbeat is accepted when its signature is valid, its
// time is within the clock skew and it is no replay; the response is the channel map and the node's live peers, signed
// alike.

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "balancer/nodes/node_registry.h"
#include "balancer/settings/event_view.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "contracts/heartbeat.h"
#include "http/message.h"
#include "http/problem.h"

namespace tribune::balancer {

/// The numbers of playlists that cache nodes keep in memory for this balancer. Any thread.
class NumbersAtNodes {
 public:
  virtual ~NumbersAtNodes() = default;
  /// Whether the node has not said yet what a former process listed.
  virtual bool wants(std::string_view node) const = 0;
  virtual void take(std::string_view node, const contracts::ListedNumbers&) = 0;
  /// What this process has listed.
  virtual contracts::ListedNumbers listed() const = 0;
};

/// Any thread; locks inside.
class HeartbeatHandler {
 public:
  /// The parts must outlive it. `listed` returns the links of each channel that are still in use; null while
  /// they are not known.
  HeartbeatHandler(const base::Clock&, base::Log&, base::Metrics&, NodeRegistry&, const PublishedView&,
                   std::function<std::shared_ptr<const contracts::ListedLinks>()> listed = {});

  http::Response answer(std::string_view node, const http::Request&);

  /// `distrusted` returns the backups that have other files than their channel's source. Call it before the first
  /// heartbeat.
  void report_distrusted(std::function<contracts::DistrustedBackups()> distrusted) {
    distrusted_ = std::move(distrusted);
  }

  /// Nodes for which `is_behind` holds are not listed as peers. Call it before the first heartbeat.
  void exclude_peers(std::function<bool(std::string_view node)> is_behind) { is_behind_ = std::move(is_behind); }
  /// Exchanges the listed numbers with the nodes. Call it before the first heartbeat; it must outlive the last one.
  void exchange_numbers(NumbersAtNodes& numbers) { numbers_ = &numbers; }

 private:
  std::vector<contracts::Peer> peers_of(const contracts::Heartbeat&) const;
  http::Response refuse(base::Counter&, const http::ProblemType&, std::string_view node, const http::Request&,
                        std::string_view why);

  const base::Clock& clock_;
  base::Log& log_;
  NodeRegistry& nodes_;
  const PublishedView& view_;
  const std::function<std::shared_ptr<const contracts::ListedLinks>()> listed_;
  std::function<contracts::DistrustedBackups()> distrusted_;
  std::function<bool(std::string_view node)> is_behind_;
  NumbersAtNodes* numbers_ = nullptr;
  base::Counter accepted_, malformed_, forged_, unknown_, replayed_;
};

}  // namespace tribune::balancer
