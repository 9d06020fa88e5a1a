#pragma once
// One request for a media object, and the parts of the node that serve it.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "cache_node/balancer_link/channel_map_store.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/open_files.h"
#include "cache_node/filling/fill_candidates.h"
#include "cache_node/filling/fill_runner.h"
#include "cache_node/filling/known_purges.h"
#include "cache_node/filling/live_peers.h"
#include "cache_node/load/channel_traffic.h"
#include "cache_node/load/duress.h"
#include "cache_node/load/node_metrics.h"
#include "cache_node/load/viewer_estimate.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/policy/retention_rules.h"
#include "cache_node/policy/vary_rules.h"
#include "cache_node/settings/node_view.h"
#include "contracts/link.h"
#include "net/server/exchange.h"

namespace tribune::cache_node {

using MediaExchange = std::unique_ptr<net::Exchange>;

struct MediaRequest {
  contracts::Link link;
  Asker asker;
  Retention retention = {};
  Variant variant = {};
  std::chrono::seconds listed_for{0};  // playlists may list the object for this time after they first listed it
  int attempt = 1;
  std::optional<FillFailure> revalidation = {};  // how the revalidation of a stale object ended; may be "revalidated"
  bool began_revalidation = false;               // this request began it

  bool is_from_node() const { return asker.kind != Asker::Kind::viewer; }
};

/// The parts that the request flow uses. They outlive it.
struct MediaFlowParts {
  const base::Clock& clock;
  NodeMetrics& metrics;       // for requests of viewers
  NodeMetrics& node_metrics;  // for requests of other nodes
  const PublishedNodeView& view;
  const ChannelMapStore& channels;
  const LivePeers& peers;
  ObjectIndex& index;
  OpenFiles& open_files;
  DiskMaintenance& disk_maintenance;
  ViewerEstimate& viewers;
  ChannelTraffic& traffic;
  const Duress& duress;
  FillParts fills;
  KnownPurges& purges;
  /// Whether this node has executed all purges that another node's request lists (OrdersHandler::ensure_executed).
  std::function<bool(std::string_view purge_marks)> ensure_executed;
  std::function<void()> request_channel_map;  // soon, from the balancers; any thread

  NodeMetrics& metrics_of(const MediaRequest& media) const { return media.is_from_node() ? node_metrics : metrics; }
  /// Seconds since `stored`, a unix time; never negative.
  std::int64_t age(std::int64_t stored) const;
};

/// Counts and sends a problem document.
void refuse(net::Exchange&, base::Counter&, const http::ProblemType&, std::string_view detail, std::string_view reason);
/// Sends the response for a failure of this node itself. Another node that sent the request gets no verdict, and tries
/// its next candidate.
void refuse_overloaded(net::Exchange&, NodeMetrics&, std::string_view detail, std::string_view reason);

}  // namespace tribune::cache_node
