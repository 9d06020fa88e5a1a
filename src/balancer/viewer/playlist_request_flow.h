#pragma once
// The journey of a viewer's request; its steps stand at the head of media_request_flow.cpp in the order in which they
// happen.

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

/// What the flow needs of the house; all outlive it.
struct PlaylistFlowParts {
  using Ask = std::function<Asking(runtime::Worker&, const PlaylistQuestion&, OnPlaylist)>;
  using AskDocument = std::function<Asking(runtime::Worker&, const DocumentQuestion&, OnDocument)>;

  const base::Clock& clock;
  base::Metrics& metrics;
  const PublishedView& view;
  const NodeRegistry& nodes;
  access::Admission& admission;
  SessionPins& pins;
  SessionRouter& router;
  const Slates& slates;
  SlateTransitions& turns;
  SteeringHandler& steering;
  Ask ask;
  /// Of which links the time is over and viewers may still use them; null while that is not known.
  std::function<std::shared_ptr<const contracts::ListedLinks>()> listed = {};
  AskDocument ask_document = {};
};

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class PlaylistRequestFlow {
 public:
  PlaylistRequestFlow(PlaylistFlowParts, std::size_t workers);
  ~PlaylistRequestFlow();

  /// GET /live/{channel}/index.m3u8
  void open(runtime::Worker&, std::unique_ptr<net::Exchange>, const http::PathParameters&);
  /// GET /live/{channel}/~{session}/{path...}
  void within(runtime::Worker&, std::unique_ptr<net::Exchange>, const http::PathParameters&);

 private:
  struct Viewer;
  using Waiting = std::unordered_map<std::uint64_t, Viewer>;

  bool find_channel(Viewer&);
  bool authenticate(runtime::Worker&, Viewer&, std::string_view text);
  bool take_token(runtime::Worker&, Viewer&, std::string_view text);
  bool renew(Viewer&, std::chrono::milliseconds idle);
  static std::chrono::milliseconds idle_for(const EventView&, const SourceSnapshot&);
  static std::chrono::milliseconds held_for(const SourceSnapshot&);
  bool renew_for(Viewer&, const PlaylistAnswer&);
  bool admit(Viewer&);
  void read_client_hints(Viewer&);
  void keep_cache(Viewer&);
  void ask(runtime::Worker&, Viewer);
  void answer(runtime::Worker&, Viewer&, base::Result<PlaylistAnswer>);
  void answer_session(Viewer&, const PlaylistAnswer&);
  void answer_playlist(runtime::Worker&, Viewer&, const PlaylistAnswer&);
  SnapshotPtr listed(runtime::Worker&, Viewer&, const PlaylistAnswer&, const RoutingChoice&);
  LinkPins pin(Viewer&, const Routed&, const SourceSnapshot&);
  bool lead_to_clone(Viewer&, std::string_view session);
  bool offers_pathways(const Viewer&) const;
  void redirect(Viewer&);
  std::optional<std::int64_t> listed_from(const Viewer&) const;
  void answer_gap(Viewer&);
  void redirect_to_origin(Viewer&, const contracts::Link&);
  Routed route(Viewer&);
  std::shared_ptr<const NodeAddress> first_node(const Viewer&) const;
  RoutingRequest asked_of(const Viewer&) const;
  void refuse(Viewer&, const http::ProblemType&, std::string_view detail, FlowResult);
  void reply(Viewer&, http::Response, FlowResult);

  // playlist_request_documents.cpp
  void ask_document(runtime::Worker&, Viewer);
  void answer_document(Viewer&, base::Result<DocumentPtr>);

  // playlist_request_waiting.cpp: viewers who wait, or waited
  access::Decision decide_on(Viewer&, const access::TicketClaim*);
  bool queue(Viewer&, const access::Queued&);
  bool turn_away(Viewer&, const access::Refused&);
  void give_back(Viewer&);
  bool take_ticket(Viewer&, std::string_view text);
  bool enter(Viewer&);
  void show_slate(Viewer&, std::optional<std::int64_t> end);
  std::shared_ptr<const Rendered> turned(Viewer&, const Rendered& programme);

  PlaylistFlowParts parts_;
  FlowMetrics metrics_;

  /// What one worker has of its own.
  struct Desk {
    TokenCache tokens;
    Waiting waiting;
    std::uint64_t next_place = 0;
    struct {
      std::uint64_t place = 0;
      Viewer* viewer = nullptr;
    } asking;  // who asks just now; nobody when it was answered
  };
  void wait(Desk&, std::uint64_t place, Viewer);

  std::vector<Desk> desks_;  // one for each worker, touched by it alone
};

}  // namespace tribune::balancer
