#pragma once
// Sends GET /ping to each node periodically: a check that does not depend on its heartbeats.

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>

#include "balancer/nodes/node_registry.h"
#include "base/clock.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"

namespace tribune::balancer {

/// Owned by one worker.
class Prober {
 public:
  Prober(const base::Clock& clock, NodeRegistry& nodes, net::HttpClient& client)
      : clock_(clock), nodes_(nodes), client_(client) {}

  /// Begins the probes that are due: each node once in `period`, and at once when it lost its connection.
  void tick(std::chrono::milliseconds period);

 private:
  struct Probe {
    base::SteadyTime next{};
    std::unique_ptr<net::Fetch> running;
    bool is_running = false;
  };
  void begin(Probe&, const NodeAddress&);

  const base::Clock& clock_;
  NodeRegistry& nodes_;
  net::HttpClient& client_;
  std::unordered_map<std::string, Probe> probes_;  // by node; references to entries stay valid
};

}  // namespace tribune::balancer
