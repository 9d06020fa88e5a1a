#pragma once
// The request flow of viewers: playlists, redirected segments and documents of the source. The steps of a request are
// at the beginning of playlist_request_flow.cpp, in their order.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/admission.h"
#include "balancer/entitlements/paid_access.h"
#include "balancer/nodes/node_registry.h"
#include "balancer/routing/session_router.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/sessions/token_cache.h"
#include "balancer/settings/event_view.h"
#include "balancer/slate/slate_transitions.h"
#include "balancer/slate/slates.h"
#include "balancer/sources/sources.h"
#include "balancer/steering/steering_handler.h"
#include "balancer/viewer/flow_metrics.h"
#include "base/clock.h"
#include "contracts/link.h"
#include "contracts/token.h"
#include "http/router.h"
#include "net/server/exchange.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// The parts that the flow uses; all outlive it.
struct PlaylistFlowParts {
  using LookUpPlaylist = std::function<PendingLookup(runtime::Worker&, const PlaylistLookup&, OnPlaylist)>;
  using LookUpDocument = std::function<PendingLookup(runtime::Worker&, const DocumentLookup&, OnDocument)>;

  const base::Clock& clock;
  base::Metrics& metrics;
  const PublishedView& view;
  const NodeRegistry& nodes;
  access::Admission& admission;
  SessionPins& pins;
  SessionRouter& router;
  const Slates& slates;
  SlateTransitions& transitions;
  SteeringHandler& steering;
  PaidAccess& paid_access;
  LookUpPlaylist look_up_playlist;
  /// The links of each channel that are accepted after their expiry; null while they are not known.
  std::function<std::shared_ptr<const contracts::ListedLinks>()> listed_links = {};
  LookUpDocument look_up_document = {};
};

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class PlaylistRequestFlow {
 public:
  PlaylistRequestFlow(PlaylistFlowParts, std::size_t workers);
  ~PlaylistRequestFlow();

  /// GET /live/{channel}/index.m3u8: opens a session, or continues the one that the query names.
  void open(runtime::Worker&, std::unique_ptr<net::Exchange>, const http::PathParameters&);
  /// GET /live/{channel}/~{session}/{path...}
  void within(runtime::Worker&, std::unique_ptr<net::Exchange>, const http::PathParameters&);

 private:
  struct Viewer;

  /// The state of one worker. Used by that worker only.
  struct WorkerState {
    TokenCache tokens;
    std::unordered_map<std::uint64_t, Viewer> suspended;  // requests that wait for a lookup or a hold
    std::uint64_t next_id = 0;
    struct {
      std::uint64_t id = 0;
      Viewer* viewer = nullptr;
    } in_call;  // the request whose lookup is being made; null once it was answered
  };

  static FlowKind kind_of(std::string_view path, std::string_view query);
  bool find_channel(Viewer&);
  bool offers_pathways(const Viewer&) const;
  void look_up_playlist(runtime::Worker&, Viewer);
  void on_playlist(runtime::Worker&, Viewer&, base::Result<PlaylistAnswer>);
  void respond_with_session_playlist(Viewer&, const PlaylistAnswer&);
  void respond_with_multivariant(Viewer&, const PlaylistAnswer&);
  void respond_with_media_playlist(runtime::Worker&, Viewer&, const PlaylistAnswer&);
  void suspend(WorkerState&, std::uint64_t id, Viewer);
  void reply_with_playlist(Viewer&, const Rendered&, bool is_stale);
  void refuse(Viewer&, const http::ProblemType&, std::string_view detail, FlowResult);
  void refuse(Viewer&, http::Response, FlowResult);
  void reply(Viewer&, http::Response, FlowResult);

  // playlist_request_session.cpp
  bool authenticate(runtime::Worker&, Viewer&, std::string_view text);
  bool authenticate_token(runtime::Worker&, Viewer&, std::string_view text);
  bool check_entitlement(Viewer&);
  bool renew(Viewer&, std::chrono::milliseconds idle);
  bool record_progress(Viewer&, const SourceSnapshot&);
  void release_session(access::SessionId);
  bool renew_for_playlist(Viewer&, const PlaylistAnswer&);
  static std::chrono::milliseconds idle_for(const EventView&, const SourceSnapshot&);
  bool admit(Viewer&);
  void read_client_hints(Viewer&);
  void apply_preferred_node(Viewer&);

  // playlist_request_routing.cpp
  RoutingRequest routing_request(const Viewer&) const;
  Routed route(Viewer&);
  std::shared_ptr<const NodeAddress> node_of_token(const Viewer&) const;
  SnapshotPtr visible_snapshot(runtime::Worker&, Viewer&, const PlaylistAnswer&, const RoutingChoice&);
  static std::chrono::milliseconds usable_for(const SourceSnapshot&);
  LinkPins pin(Viewer&, const Routed&, const SourceSnapshot&);

  // playlist_request_redirects.cpp
  void redirect_segment(Viewer&);
  void redirect_to_origin(Viewer&, const contracts::Link&);
  std::string target_at_node(const Viewer&, contracts::Link) const;
  std::optional<std::int64_t> oldest_listed_link(const Viewer&) const;
  bool redirect_to_clone(Viewer&, std::string_view session);
  void respond_to_gap(Viewer&);
  void redirect(Viewer&, std::string location);

  // playlist_request_documents.cpp
  void look_up_document(runtime::Worker&, Viewer);
  void on_document(Viewer&, base::Result<DocumentPtr>);

  // playlist_request_waiting.cpp
  access::Decision decide_on(Viewer&, const access::TicketClaim*);
  bool enqueue(Viewer&, const access::Queued&);
  bool refuse_admission(Viewer&, const access::Refused&);
  void release_new_session(Viewer&);
  bool authenticate_ticket(Viewer&, std::string_view text);
  bool admit_ticket(Viewer&);
  void show_slate(Viewer&, std::optional<std::int64_t> end);
  std::shared_ptr<const Rendered> continue_after_slate(Viewer&, const Rendered& programme);

  PlaylistFlowParts parts_;
  FlowMetrics metrics_;
  std::vector<WorkerState> workers_;  // by worker index
};

}  // namespace tribune::balancer
