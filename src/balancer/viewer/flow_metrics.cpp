#include "balancer/viewer/flow_metrics.h"

#include <array>

namespace tribune::balancer {
namespace {

constexpr std::array<std::string_view, 3> kPlaylists{"session", "multivariant", "media"};
constexpr std::array<std::string_view, 18> kResults{
    "ok",           "not_modified", "stale",   "channel_unknown", "session_invalid", "link_invalid",
    "link_expired", "full",         "no_key",  "no_node",         "source_failed",   "gone",
    "waiting",      "queued",       "refused", "ticket_invalid",  "session_ended",   "not_entitled"};

}  // namespace

std::string_view to_string(FlowResult result) { return kResults[static_cast<std::size_t>(result)]; }

FlowMetrics::FlowMetrics(base::Metrics& metrics) {
  for (const auto kind : kPlaylists)
    for (const auto result : kResults)
      counters_.push_back(metrics.counter("tribune_balancer_playlists_total",
                                          "Playlist requests of viewers, by kind and result.",
                                          {{"kind", kind}, {"result", result}}));
  for (const auto result : kResults)
    counters_.push_back(metrics.counter("tribune_balancer_redirects_total",
                                        "Segment requests in redirect mode, by result.", {{"result", result}}));
  for (const auto result : kResults)
    counters_.push_back(metrics.counter(
        "tribune_balancer_documents_total",
        "Requests of viewers for documents of the source (asset lists, session data, steering manifests), by result.",
        {{"result", result}}));
}

void FlowMetrics::count(FlowKind kind, FlowResult result) {
  counters_[static_cast<std::size_t>(kind) * kResults.size() + static_cast<std::size_t>(result)].add();
}

}  // namespace tribune::balancer
