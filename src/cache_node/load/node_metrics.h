#pragma once
// The metrics of requests for objects. Handles; any thread.

#include <string_view>

#include "base/metrics.h"
#include "cache_node/load/player_reports.h"
#include "http/problem.h"

namespace tribune::cache_node {

struct NodeMetrics {
  enum class Of { viewers, nodes };

  explicit NodeMetrics(base::Metrics& m, Of of = Of::viewers)
      : hits(requests(m, "hit", of)),
        misses(requests(m, "miss", of)),
        waited(requests(m, "waited", of)),
        refused(requests(m, "refused", of)),
        failed(requests(m, "failed", of)),
        cut(requests(m, "cut", of)),
        broken(failures(m, "node", of)),
        broken_by_origin(failures(m, "origin", of)),
        broken_by_status(by_status(m, of)),
        waiters(m.gauge("tribune_cache_waiters",
                        "Requests that are served from a running fill or wait for its first byte.")),
        first_byte_lag(
            m.histogram("tribune_cache_first_byte_lag_seconds",
                        "Time from the first byte of a fill to the first byte sent to a waiting request, in seconds.",
                        {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5})),
        sent_bytes(of == Of::viewers
                       ? m.counter("tribune_cache_sent_bytes_total", "Body bytes written to connections of viewers.")
                       : m.counter("tribune_cache_sent_to_nodes_bytes_total",
                                   "Body bytes written to connections of other nodes.")),
        players(m) {}

  static base::Counter requests(base::Metrics& m, std::string_view result, Of of) {
    if (of == Of::nodes)
      return m.counter("tribune_cache_node_requests_total", "Requests of other nodes for objects, by cache result.",
                       {{"result", result}});
    return m.counter("tribune_cache_requests_total", "Requests of viewers for objects, by cache result.",
                     {{"result", result}});
  }

  static base::Counter failures(base::Metrics& m, std::string_view cause, Of of) {
    if (of == Of::nodes)
      return m.counter("tribune_cache_node_failures_total",
                       "Requests of other nodes that were answered with 5xx or truncated, by cause.",
                       {{"cause", cause}});
    return m.counter("tribune_cache_failures_total",
                     "Requests of viewers that were answered with 5xx, or truncated because the fill failed, by cause.",
                     {{"cause", cause}});
  }
  static base::Counter by_status(base::Metrics& m, Of of) {
    if (of == Of::nodes)
      return m.counter("tribune_cache_node_failures_by_status_total",
                       "Requests of other nodes that failed because the origin responded with an error status.");
    return m.counter("tribune_cache_failures_by_status_total",
                     "Requests of viewers that failed because the origin responded with an error status.");
  }
  /// Counts a request that got this problem instead of the object. `status`: the status of the origin's response; 0
  /// without a response.
  void refused_with(const http::ProblemType& problem, int status = 0) {
    using namespace http;
    if (problem.status < 500) return;
    const bool is_origin = &problem == &problems::origin_broken || &problem == &problems::origin_unavailable ||
                           &problem == &problems::origin_timeout;
    (is_origin ? broken_by_origin : broken).add();
    if (is_origin && status != 0) broken_by_status.add();
  }

  base::Counter hits, misses, waited;  // answered
  base::Counter refused;               // rejected because of the link or the channel
  base::Counter failed;                // the origin failed, or a remembered failure was returned
  base::Counter cut;                   // begun and not finished: the fill failed, or the viewer left
  base::Counter broken;  // part of failed and cut: 5xx, or cut because the fill failed, by a fault of this node …
  base::Counter broken_by_origin;  // … or of the origin
  base::Counter broken_by_status;  // part of broken_by_origin: the origin answered with a status
  base::Gauge waiters;
  base::Histogram first_byte_lag;
  base::Counter sent_bytes;
  PlayerReports players;
};

}  // namespace tribune::cache_node
