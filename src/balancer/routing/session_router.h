#pragma once
// Where each session is served: asks choose_node() with what is known of the client, remembers the answer and what the client
// proved, counts the viewers of each node, and says each change in the log.

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

#include "access/sessions.h"
#include "balancer/node_registry.h"
#include "balancer/routing/choosing.h"
#include "balancer/routing/claims.h"
#include "balancer/routing/routing_files.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

namespace tribune::balancer {

/// A request as routing sees it. Views live as long as the call.
struct RoutingRequest {
  std::string_view client;                  // address
  std::string_view channel;
  std::string_view named;                   // the cache that the client names, now or before
  const Claims* claims = nullptr;           // of this request
  std::string_view pinned{};                // the node of its last pin: a former process sent it there
  access::SessionId session = 0;
  bool is_counted = false;                  // the session will be released; others are not remembered
  bool may_use_origin = false;
};

/// The choice with the table that its node lives in.
struct Routed {
  RoutingChoice choice;
  std::shared_ptr<const NodeTable> nodes;
};

/// Any thread; locks inside, for one session's record.
class SessionRouter {
 public:
  /// The parts outlive it.
  SessionRouter(const base::Clock&, base::Log&, NodeRegistry&, const RoutingFiles&);
  ~SessionRouter();

  void configure(std::chrono::milliseconds gone_lifetime) { gone_lifetime_ms_ = gone_lifetime.count(); }

  Routed route(const RoutingRequest&);
  void release(access::SessionId);
  /// Forgets sessions that did not ask for `idle`. For those that end without release().
  void sweep(std::chrono::milliseconds idle);

  /// The answer to "why this node?": inputs, what every rank says, the choice. Changes nothing.
  void explain(const RoutingRequest&, base::json::Writer&) const;

 private:
  struct Placed {
    std::shared_ptr<const NodeAddress> node;
    std::shared_ptr<NodeViewers> viewers;
    std::vector<Proof> proofs;
    std::string named, named_from;          // the cache, and the network from which it was named
    std::string gone;
    base::SteadyTime gone_until{};
    base::SteadyTime seen{};
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<access::SessionId, Placed> sessions;
  };
  static constexpr std::size_t kShards = 64;
  Shard& shard_of(access::SessionId id) { return shards_[(id * 0x9e3779b97f4a7c15ull) >> 58]; }

  void learn(Placed&, const RoutingRequest&, const std::string& prefix);
  RoutingQuestion question_of(const Placed&, const RoutingRequest&, const std::string& prefix) const;
  void settle(Placed&, const RoutingRequest&, const RoutingChoice&, const std::string& prefix);

  const base::Clock& clock_;
  base::Log& log_;
  NodeRegistry& nodes_;
  const RoutingFiles& files_;
  std::atomic<std::int64_t> gone_lifetime_ms_{60'000};
  std::array<Shard, kShards> shards_;
};

}  // namespace tribune::balancer
