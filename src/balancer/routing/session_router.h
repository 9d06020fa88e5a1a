#pragma once
// The node of each session: calls choose_node() with what is known of the client, keeps the choice and the client's
// receipts, counts the viewers of each node, and logs each change. Does not decide whether a session is admitted.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
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
#include "contracts/event.h"

namespace tribune::balancer {

/// The parts of a request that routing uses. The views must outlive the call.
struct RoutingRequest {
  std::string_view client;  // address
  std::string_view channel;
  std::string_view named;                      // the cache that the client names, in this request or before
  const ReachabilityClaims* claims = nullptr;  // of this request
  std::string_view pinned{};                   // the node of its last pin, for a session without a recorded node
  access::SessionId session = 0;
  bool is_counted = false;  // admission reports the release of the session; other sessions are not recorded
  bool may_use_origin = false;
  std::string_view pathway{};  // the group, or kOriginPathway, whose pathway the playlist's URL names
  bool is_advice = false;      // nothing of the request is recorded, for no session and no node
};

/// The groups that a viewer may be sent to, with the table that owns their names.
struct Standings {
  std::shared_ptr<const NodeTable> nodes;
  std::vector<GroupStanding> groups;
};

/// The choice with the table that owns its node.
struct Routed {
  RoutingChoice choice;
  std::shared_ptr<const NodeTable> nodes;
  std::optional<std::chrono::seconds> holds{};  // of a report: until one of the client's statements expires
};

/// Nodes with the table that owns them.
struct NodeList {
  std::shared_ptr<const NodeTable> table;
  std::vector<const NodeState*> nodes;
};

/// The nodes for a viewer without a session, with the table that the views point into.
struct NodeProposal {
  std::shared_ptr<const NodeTable> nodes;
  RoutingChoice choice;  // the best now
  Alternatives others;   // all alternatives, when nodes have limits
  RoutingReason rank_of(std::string_view node) const;
};

/// Any thread; locks inside. Admission is called with the lock of the session's record held.
class SessionRouter {
 public:
  /// The parts must outlive it.
  SessionRouter(const base::Clock&, base::Log&, NodeRegistry&, const RoutingFiles&, access::Admission&);
  ~SessionRouter();

  void configure(std::chrono::milliseconds gone_lifetime) { gone_lifetime_ms_ = gone_lifetime.count(); }

  /// Selects the node of a request. A session whose node changes is counted at the new node.
  Routed route(const RoutingRequest&);

  /// The nodes that admission chooses from. `session` of the request is that of the ticket, or 0.
  NodeProposal propose(const RoutingRequest&);
  /// Records that admission counts the session at this node (empty: at none, or the visitor waits), and the client's
  /// claims.
  void record_admission(const RoutingRequest&, const NodeProposal&, std::string_view node);
  /// The groups for this viewer. `steers`: the player requested the manifest, so it follows pathways from now on.
  Standings standings(const RoutingRequest&, std::size_t most, bool steers);
  /// The nodes that the client should ping, the best first. Changes nothing.
  NodeList nodes_to_ping(const RoutingRequest&) const;
  /// Whether links of the channel may lead to its origin. To that of a paid channel, which asks nobody for a session,
  /// only while no node is usable, whatever a client reports.
  bool may_use_origin(const contracts::Channel&) const;
  /// Whether a group has this name.
  bool knows_group(std::string_view) const;
  void release(access::SessionId);
  /// Removes sessions without a request for `idle`: those that end without release().
  void sweep(std::chrono::milliseconds idle);

  /// Explains a choice: the inputs, the verdict of every rank, the choice. Changes nothing.
  void explain(const RoutingRequest&, base::json::Writer&) const;

 private:
  /// The nodes that a client cannot reach, by its last reports. Immutable.
  struct Unreachable {
    std::string gone;  // a node, and the network for which this holds (empty: every one)
    std::string gone_in;
    std::string none_in;  // the network in which the client reaches no node
    base::SteadyTime gone_until{}, none_until{};
    std::int64_t proved_until = 0;  // the latest end of a receipt that was known at the last report, in unix seconds

    bool is_gone(const std::string& network, base::SteadyTime now) const {
      return now < gone_until && (gone_in.empty() || gone_in == network);
    }
    bool is_none_reached(const std::string& network, base::SteadyTime now) const {
      return now < none_until && none_in == network;
    }
  };
  struct RoutedSession {
    std::shared_ptr<const NodeAddress> node;
    std::shared_ptr<NodeViewers> viewers;
    std::size_t group = 0;  // a hash of the group that it is counted for, because a node may report its group late
    std::vector<Proof> proofs;
    std::string named, named_from;                   // the cache, and the network from which it was named
    std::shared_ptr<const Unreachable> unreachable;  // null: the client reported none
    bool steers = false;  // it requests the steering manifest: the pathway of its URLs is its choice
    base::SteadyTime seen{};
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<access::SessionId, RoutedSession> sessions;
  };

  void record_claims(RoutedSession&, const RoutingRequest&, const std::string& prefix);
  void record_unreachable(RoutedSession&, const RoutingRequest&, const std::string& prefix) const;
  static void refute_unreachable(RoutedSession&, const ReachabilityClaims&, const std::string& prefix);
  std::optional<std::chrono::seconds> holds(const RoutedSession&, const RoutingRequest&, const RoutingChoice&,
                                            const std::string& prefix) const;
  RoutingQuestion question_of(const RoutedSession&, const RoutingRequest&, const std::string& prefix) const;
  RoutingChoice choose(const NodeTable&, const RoutingView&, RoutingQuestion, access::SessionId);
  void record_choice(RoutedSession&, const RoutingRequest&, const RoutingChoice&, const std::string& prefix);
  void report_unreachable(const RoutingRequest&, const std::string& prefix);

  const base::Clock& clock_;
  base::Log& log_;
  NodeRegistry& nodes_;
  const RoutingFiles& files_;
  access::Admission& admission_;
  std::atomic<std::int64_t> gone_lifetime_ms_{60'000};
  base::Sharded<Shard> shards_;
};

}  // namespace tribune::balancer
