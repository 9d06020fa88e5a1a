#pragma once
// The journey of a request for an object, as named steps (media_request_flow.cpp).

#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "cache_node/balancer_link/channel_map_store.h"
#include "cache_node/delivery/fill_delivery.h"
#include "cache_node/delivery/sliced_delivery.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/open_files.h"
#include "cache_node/filling/fill_candidates.h"
#include "cache_node/filling/fill_runner.h"
#include "cache_node/filling/live_peers.h"
#include "cache_node/load/channel_traffic.h"
#include "cache_node/load/duress.h"
#include "cache_node/load/node_metrics.h"
#include "cache_node/load/viewer_estimate.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/policy/reuse.h"
#include "cache_node/settings/node_view.h"
#include "contracts/link.h"
#include "runtime/role.h"
#include "runtime/task_set.h"

namespace tribune::cache_node {

/// What the journey uses; outlives it.
struct MediaFlowParts {
  const base::Clock& clock;
  NodeMetrics& metrics;       // of viewers' requests
  NodeMetrics& node_metrics;  // of other nodes'
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
  /// Whether all that another node tells is carried out here (Orders::keeps_up).
  std::function<bool(std::string_view purge_marks)> keeps_up;
};

/// Any thread; what is under way belongs to the worker that took the request.
class MediaRequestFlow {
 public:
  using Exchange = std::unique_ptr<net::Exchange>;

  MediaRequestFlow(const MediaFlowParts&, const std::vector<std::unique_ptr<runtime::Worker>>&);

  /// GET and HEAD /media/{channel}/{epoch}/{path...}
  void serve(runtime::Worker&, Exchange, const http::PathParameters&);

  /// Begins the fill of a link's object ("/media/…?…") when it is neither here nor under way: somebody is about to ask.
  enum class Warmed { began, known, refused };
  Warmed warm(runtime::Worker&, std::string_view target);
  /// The same for one slice of a file that is known to be kept in slices; its key, or nothing when it is not known or
  /// nobody can.
  std::optional<ObjectKey> warm_slice(runtime::Worker&, std::string_view target, std::uint64_t number);

 private:
  struct MediaRequest {
    contracts::Link link;
    Asker asker;
    Retention keep = {};
    Variant variant = {};
    std::chrono::seconds listed_for{0};
    int attempt = 1;
    std::optional<FillFailure> asked = {};  // what became of asking about a stale object; it may be "revalidated"
    bool began = false;                     // this request made that question
  };
  base::Result<contracts::Link> verify(const NodeView&, std::string_view channel, std::string_view epoch,
                                       std::string_view path, std::string_view query) const;
  std::optional<contracts::Link> link_of(std::string_view target) const;
  MediaRequest plain(contracts::Link) const;
  void note_viewer(const http::Request&);
  http::Headers server_data(const NodeView&, std::string_view path) const;
  bool read_asker(net::Exchange&, MediaRequest&);
  NodeMetrics& metrics_for(const MediaRequest& media) const {
    return media.asker.kind == Asker::Kind::viewer ? parts_.metrics : parts_.node_metrics;
  }
  void look_up(runtime::Worker&, Exchange, MediaRequest);
  void retry_lookup(runtime::Worker&, Exchange, MediaRequest);
  ObjectKey key_of(const MediaRequest&) const;
  bool is_too_much(const ObjectKey&) const;
  ObjectIndex::Found find(const ObjectKey&, const MediaRequest&);
  std::optional<ServedFromStore> serve_held(net::Exchange&, const MediaRequest&, const ObjectHead&, std::int64_t stored,
                                            bool is_stale, const ObjectIndex::Found&);
  ServedFromStore served(const MediaRequest&, const HeldObject&, bool is_stale) const;
  bool serve_meanwhile(runtime::Worker&, Exchange&, const MediaRequest&, const ObjectIndex::Joined&);
  std::int64_t age(std::int64_t stored) const;
  void serve_object(runtime::Worker&, Exchange, MediaRequest, const ObjectPtr&, const ServedFromStore&);
  void check_first(runtime::Worker&, Exchange, MediaRequest, const ObjectPtr&);
  bool serve_sliced(runtime::Worker&, Exchange&, const MediaRequest&, const SlicedFilePtr&, bool stands_in);
  ObjectIndex::Found find_slice(runtime::Worker&, const MediaRequest&, const SlicedFilePtr&, std::uint64_t number);
  void run_fill(runtime::Worker&, const contracts::ChannelEntry&, const MediaRequest&, const std::shared_ptr<Fill>&,
                const SlicedFilePtr& = nullptr, std::uint64_t slice = 0);
  void read_along(runtime::Worker&, Exchange, MediaRequest, const ObjectIndex::Joined&, const ServedFromStore&);
  void refuse_filled(net::Exchange&, const MediaRequest&, const FillFailure&);
  void refuse_overloaded(net::Exchange&, const MediaRequest&, std::string_view detail, std::string_view reason);
  void refuse(net::Exchange&, base::Counter&, const http::ProblemType&, std::string_view detail,
              std::string_view reason);

  struct UnderWay {
    explicit UnderWay(net::EventLoop& loop) : fills(loop), deliveries(loop), sliced(loop) {}
    runtime::TaskSet<FillRunner> fills;
    runtime::TaskSet<FillDelivery> deliveries;  // goes before the fills that feed it
    runtime::TaskSet<SlicedDelivery> sliced;
  };
  MediaFlowParts parts_;
  std::vector<std::unique_ptr<UnderWay>> under_way_;  // by worker
};

}  // namespace tribune::cache_node
