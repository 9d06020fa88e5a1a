#pragma once
// Where each session is served: asks choose_node() with what is known of the client, remembers the answer and what the
// client proved, counts the viewers of each node, and says each change in the log.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/admission.h"
#include "balancer/nodes/node_registry.h"
#include "balancer/routing/node_selection.h"
#include "balancer/routing/reachability_claims.h"
#include "balancer/routing/routing_files.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sharded.h"

namespace tribune::balancer {

/// A request as routing sees it. Views live as long as the call.
struct RoutingRequest {
  std::string_view client;  // address
  std::string_view channel;
  std::string_view named;                      // the cache that the client names, now or before
  const ReachabilityClaims* claims = nullptr;  // of this request
  std::string_view pinned{};                   // the node of its last pin: a former process sent it there
  access::SessionId session = 0;
  bool is_counted = false;  // the session will be released; others are not remembered
  bool may_use_origin = false;
  std::string_view pathway{};  // the group, or kOriginPathway, whose pathway the playlist's URL names
};

/// The groups that a viewer may be sent to, with the table that the names live in.
struct Standings {
  std::shared_ptr<const NodeTable> nodes;
  std::vector<GroupStanding> groups;
};

/// The choice with the table that its node lives in.
struct Routed {
  RoutingChoice choice;
  std::shared_ptr<const NodeTable> nodes;
};

/// Where a viewer who has no session yet may watch. Keeps what its views live in.
struct Placing {
  std::shared_ptr<const NodeTable> nodes;
  RoutingChoice choice;  // the best now
  Alternatives others;   // when there are limits of nodes: all there are
  RoutingReason rank_of(std::string_view node) const;
};

/// Any thread; locks inside, for one session's record, and under it admission's.
class SessionRouter {
 public:
  /// The parts outlive it.
  SessionRouter(const base::Clock&, base::Log&, NodeRegistry&, const RoutingFiles&, access::Admission&);
  ~SessionRouter();

  void configure(std::chrono::milliseconds gone_lifetime) { gone_lifetime_ms_ = gone_lifetime.count(); }

  /// A session that moves is counted where it goes.
  Routed route(const RoutingRequest&);

  /// For admission to choose from. `session` of the request: of the ticket, or 0.
  Placing placing(const RoutingRequest&);
  /// Admission let the session in and counts it at this node; empty: nowhere, or it waits. What the client said is
  /// remembered.
  void placed(const RoutingRequest&, const Placing&, std::string_view node);
  /// How the groups stand for this viewer. `steers`: the player asked for it, so it follows pathways from now on.
  Standings standings(const RoutingRequest&, std::size_t most, bool steers);
  /// Whether a group has this name.
  bool knows_group(std::string_view) const;
  void release(access::SessionId);
  /// Forgets sessions that did not ask for `idle`. For those that end without release().
  void sweep(std::chrono::milliseconds idle);

  /// The answer to "why this node?": inputs, what every rank says, the choice. Changes nothing.
  void explain(const RoutingRequest&, base::json::Writer&) const;

 private:
  struct Placed {
    std::shared_ptr<const NodeAddress> node;
    std::shared_ptr<NodeViewers> viewers;
    std::size_t group = 0;  // a hash of the one that it counts for: a node may say it late
    std::vector<Proof> proofs;
    std::string named, named_from;  // the cache, and the network from which it was named
    std::string gone;
    bool steers = false;  // it asks for the steering manifest: the pathway of its URLs is its choice
    base::SteadyTime gone_until{};
    base::SteadyTime seen{};
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<access::SessionId, Placed> sessions;
  };

  void learn(Placed&, const RoutingRequest&, const std::string& prefix);
  RoutingQuestion question_of(const Placed&, const RoutingRequest&, const std::string& prefix) const;
  RoutingChoice choose(const NodeTable&, const RoutingView&, RoutingQuestion, access::SessionId);
  void settle(Placed&, const RoutingRequest&, const RoutingChoice&, const std::string& prefix);
  void hear_gone(const RoutingRequest&, const std::string& prefix);

  const base::Clock& clock_;
  base::Log& log_;
  NodeRegistry& nodes_;
  const RoutingFiles& files_;
  access::Admission& admission_;
  std::atomic<std::int64_t> gone_lifetime_ms_{60'000};
  base::Sharded<Shard> shards_;
};

}  // namespace tribune::balancer
