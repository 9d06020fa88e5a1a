#pragma once
// The periodic work of a balancer: expiry of sessions, pins and rendered playlists, checks and probes of cache nodes.

#include <atomic>
#include <chrono>
#include <memory>

#include "access/admission.h"
#include "balancer/entitlements/session_entitlements.h"
#include "balancer/nodes/node_registry.h"
#include "balancer/routing/node_prober.h"
#include "balancer/routing/session_router.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/settings/event_view.h"
#include "balancer/slate/slate_transitions.h"
#include "balancer/slate/slates.h"
#include "balancer/sources/rendered_playlists.h"
#include "contracts/key_watch.h"
#include "net/event_loop.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// The parts that the tasks maintain; all outlive them.
struct PeriodicTaskParts {
  const base::Clock& clock;
  const PublishedView& view;
  access::Admission& admission;
  SessionPins& pins;
  SessionRouter& router;
  NodeRegistry& nodes;
  const Slates& slates;
  SlateTransitions& transitions;
  RenderedPlaylists& rendered;
  contracts::KeyWatch& key_watch;
  SessionEntitlements& entitlements;
};

/// How long routing remembers a session that sends no request and is not released: twice session_idle, and at least one
/// minute.
std::chrono::milliseconds routing_memory(std::chrono::milliseconds session_idle);

/// start() and the tasks run on one worker; configure() on any thread. Destroyed after that worker's loop has ended.
class PeriodicTasks {
 public:
  explicit PeriodicTasks(const PeriodicTaskParts& parts) : parts_(parts) {}

  /// The period in which each node is probed.
  void configure(std::chrono::milliseconds probe_period) { probe_period_ = probe_period; }
  void start(runtime::Worker&);

 private:
  void expire_sessions();
  void check_nodes(net::EventLoop&);

  PeriodicTaskParts parts_;
  std::atomic<std::chrono::milliseconds> probe_period_{std::chrono::milliseconds{2'000}};
  std::unique_ptr<Prober> prober_;
  net::Timer expire_sessions_;
  net::Timer expire_saved_;
  net::Timer report_traffic_;
  net::Timer probe_nodes_;
  net::Timer expire_routes_;
  net::Timer check_nodes_;
};

}  // namespace tribune::balancer
