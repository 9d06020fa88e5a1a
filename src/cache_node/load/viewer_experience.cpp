#include "cache_node/load/viewer_experience.h"

namespace tribune::cache_node {

namespace {

constexpr std::size_t kMaxSamples = 120;

std::int64_t whole(const base::Counter& counter) { return static_cast<std::int64_t>(counter.value()); }

contracts::NodeExperience since(const contracts::NodeExperience& then, const contracts::NodeExperience& now) {
  return {now.requests - then.requests,
          now.failures - then.failures,
          now.failures_by_origin - then.failures_by_origin,
          now.failures_by_origin_status - then.failures_by_origin_status,
          now.origin_asks - then.origin_asks,
          now.origin_failures - then.origin_failures,
          now.peer_asks - then.peer_asks,
          now.peer_failures - then.peer_failures};
}

base::Gauge gauge(base::Metrics& m, std::string_view of) {
  return m.gauge("tribune_cache_error_share",
                 "Share of failures in the last 10 s, 0 to 1: of viewers' requests, those answered with 5xx or "
                 "truncated; of fill requests to origins and to other nodes, those that failed.",
                 {{"of", of}});
}

}  // namespace

contracts::NodeExperience experience_so_far(const NodeMetrics& of_viewers, const FillMetrics& fills) {
  contracts::NodeExperience e;
  const auto& v = of_viewers;
  e.failures_by_origin_status = whole(v.broken_by_status);  // before failures_by_origin, which includes it
  e.failures_by_origin = whole(v.broken_by_origin);
  e.failures = whole(v.broken) + e.failures_by_origin;
  e.requests = whole(v.hits) + whole(v.misses) + whole(v.waited) + whole(v.refused) + whole(v.failed);
  e.origin_failures = whole(fills.origin_failed);
  e.origin_asks = whole(fills.origin_answered) + e.origin_failures;
  e.peer_failures = whole(fills.node_failed);
  e.peer_asks = whole(fills.node_answered) + e.peer_failures;
  return e;
}

contracts::NodeExperience ViewerExperienceWindow::advance(base::SteadyTime now,
                                                          const contracts::NodeExperience& so_far) {
  samples_.push_back({now, so_far});
  while (samples_.size() > kMaxSamples || (samples_.size() > 2 && now - samples_[1].at >= kLength))
    samples_.pop_front();
  return since(samples_.front().counted, so_far);
}

ViewerExperienceGauges::ViewerExperienceGauges(base::Metrics& m)
    : viewers(gauge(m, "viewers")), origin(gauge(m, "origin")), nodes(gauge(m, "nodes")) {}

void ViewerExperienceGauges::show(const contracts::NodeExperience& e) {
  viewers.set(contracts::share(e.failures, e.requests));
  origin.set(contracts::share(e.origin_failures, e.origin_asks));
  nodes.set(contracts::share(e.peer_failures, e.peer_asks));
}

}  // namespace tribune::cache_node
