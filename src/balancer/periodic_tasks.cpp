#include "balancer/periodic_tasks.h"

#include <algorithm>

#include "balancer/access_http/access_wiring.h"

namespace tribune::balancer {

using namespace std::chrono_literals;

std::chrono::milliseconds routing_memory(std::chrono::milliseconds session_idle) {
  return std::max<std::chrono::milliseconds>(60s, 2 * session_idle);
}

void PeriodicTasks::start(runtime::Worker& worker) {
  auto& loop = worker.loop;
  expire_sessions_ = loop.every(100ms, [this] { expire_sessions(); });
  expire_saved_ = loop.every(2s, [this] {
    parts_.transitions.sweep({parts_.slates.now(), parts_.slates.ahead()});
    parts_.pins.sweep();
    parts_.rendered.sweep();
  });
  report_traffic_ = loop.every(1s, [this] {
    report_traffic(parts_.admission, *parts_.nodes.table());
    parts_.key_watch.look();
  });
  prober_ = std::make_unique<Prober>(parts_.clock, parts_.nodes, worker.client);
  probe_nodes_ = loop.every(100ms, [this] { prober_->tick(probe_period_.load()); });
  expire_routes_ = loop.every(1s, [this] { parts_.router.sweep(routing_memory(parts_.view.get()->session_idle)); });
  check_nodes(loop);
}

void PeriodicTasks::expire_sessions() {
  parts_.admission.tick([this](access::SessionId id) {
    parts_.pins.lapse(id);
    parts_.router.release(id);
    parts_.entitlements.release(id);
  });
}

/// Schedules its next call each time, because a reload may change the period.
void PeriodicTasks::check_nodes(net::EventLoop& loop) {
  parts_.nodes.check();
  check_nodes_ = loop.after(parts_.nodes.check_period(), [this, &loop] { check_nodes(loop); });
}

}  // namespace tribune::balancer
