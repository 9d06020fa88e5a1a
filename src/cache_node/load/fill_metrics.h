#pragma once
// The metrics of fills. Handles; any thread.

#include "base/metrics.h"

namespace tribune::cache_node {

struct FillMetrics {
  explicit FillMetrics(base::Metrics& m)
      : stored(m.counter("tribune_cache_fills_total", "Fills that ended, by result.", {{"result", "complete"}})),
        failed(m.counter("tribune_cache_fills_total", "Fills that ended, by result.", {{"result", "failed"}})),
        failures(m.counter("tribune_cache_fill_failures_total",
                           "Fills that failed because no response was a usable object.")),
        retries(m.counter("tribune_cache_fill_retries_total", "Repeated requests to an origin for the same fill.")),
        resumes(m.counter("tribune_cache_fill_resumes_total",
                          "Interrupted bodies whose remaining bytes were requested again.")),
        pauses(m.counter("tribune_cache_fill_pauses_total",
                         "Pauses of the transfer from an origin because the fill buffers were full.")),
        passed_through(m.counter("tribune_cache_passed_through_total",
                                 "Fills whose object was not stored for lack of disk space and RAM.")),
        revalidated(m.counter("tribune_cache_fill_revalidated_total",
                              "Stale objects that the origin confirmed with status 304.")),
        varied(m.counter("tribune_cache_varied_answers_total",
                         "Responses of origins whose Vary lists request fields that no vary_on rule lists.")),
        asked_peers(asked(m, "peer")),
        asked_parents(asked(m, "parent")),
        asked_origins(asked(m, "origin")),
        passed_over(m.counter(
            "tribune_cache_passed_over_total",
            "Candidates of fills (nodes, origins, backup origins) that failed, so that the next candidate was tried.")),
        lost_origins(m.counter("tribune_cache_lost_origins_total",
                               "Fills for which the origin did not answer this node, or refused it, and further nodes "
                               "of its group were asked.")),
        refused_alone(m.counter("tribune_cache_refused_alone_total",
                                "Fills that the origin refused to this node (401, 403, 451), and for which another "
                                "node of the group had the object.")),
        refused_for_memory(m.counter("tribune_cache_refused_for_memory_total",
                                     "Requests refused because they needed a fill while memory was scarce.")),
        origin_answered(ended(m, "origin", "ok")),
        origin_failed(ended(m, "origin", "failed")),
        node_answered(ended(m, "node", "ok")),
        node_failed(ended(m, "node", "failed")),
        waits(m.counter("tribune_cache_peer_waits_total",
                        "Responses of other nodes that they are waiting for the origin themselves.")),
        node_bytes(m.counter("tribune_cache_peer_bytes_total", "Body bytes received from other nodes.")),
        origin_bytes(m.counter("tribune_cache_origin_bytes_total", "Body bytes received from origins.")),
        seconds(m.histogram("tribune_cache_fill_seconds",
                            "Time from the request to the origin to the last byte of the body, in seconds.",
                            base::latency_buckets())) {}

  static base::Counter asked(base::Metrics& m, std::string_view place) {
    return m.counter("tribune_cache_fill_requests_total", "Requests of fills, by kind of the server that was asked.",
                     {{"place", place}});
  }

  static base::Counter ended(base::Metrics& m, std::string_view place, std::string_view result) {
    return m.counter(
        "tribune_cache_fill_answers_total",
        "Finished requests of fills, by kind of the server that was asked. failed: no response, or 5xx from a node.",
        {{"place", place}, {"result", result}});
  }
  /// Counts the result of a request to an origin or another node.
  void count_result(bool is_node, bool has_failed) {
    (is_node ? has_failed ? node_failed : node_answered : has_failed ? origin_failed : origin_answered).add();
  }

  base::Counter stored, failed, failures, retries, resumes, pauses, passed_through, revalidated, varied;
  base::Counter asked_peers, asked_parents, asked_origins, passed_over, lost_origins, refused_alone, refused_for_memory;
  base::Counter origin_answered, origin_failed, node_answered, node_failed, waits, node_bytes, origin_bytes;
  base::Histogram seconds;
};

}  // namespace tribune::cache_node
