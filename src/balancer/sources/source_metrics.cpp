#include "balancer/sources/source_metrics.h"

namespace tribune::balancer {

SourceMetrics::SourceMetrics(base::Metrics& metrics, std::string channel)
    : renders(metrics.counter("tribune_balancer_playlist_renders_total",
                              "Renderings of media playlists: one per refresh and list of pins.",
                              {{"channel", channel}})),
      origins_left_(metrics.counter("tribune_balancer_origins_left_total",
                                    "Changes from an origin to the next one in the list because the origin failed.",
                                    {{"channel", channel}})),
      backups_distrusted_(metrics.counter("tribune_balancer_backups_distrusted_total",
                                          "Backups that were found to have other files than the source, so that cache "
                                          "nodes no longer fill its segments from them.",
                                          {{"channel", channel}})),
      ends_held_(metrics.counter("tribune_balancer_source_ends_held_total",
                                 "Ends of live playlists (EXT-X-ENDLIST) that were held back from viewers, because a "
                                 "backup or hold_end may continue the channel.",
                                 {{"channel", channel}})),
      playlists_left_out_(metrics.counter("tribune_balancer_playlists_left_out_total",
                                          "Source playlists that were dropped or refused because the channel had "
                                          "reached its maximum number of playlists.",
                                          {{"channel", channel}})),
      metrics_(metrics),
      channel_(std::move(channel)) {}

void SourceMetrics::refreshed(std::string_view result) {
  auto found = refreshes_.find(result);
  if (found == refreshes_.end())
    found = refreshes_
                .emplace(result, metrics_.counter("tribune_balancer_source_refreshes_total",
                                                  "Refreshes of source playlists, by result.",
                                                  {{"channel", channel_}, {"result", result}}))
                .first;
  found->second.add();
}

void SourceMetrics::flawed(std::string_view flaw, std::int64_t lines) {
  auto found = flaws_.find(flaw);
  if (found == flaws_.end())
    found =
        flaws_
            .emplace(
                flaw,
                metrics_.counter(
                    "tribune_balancer_source_flaws_total",
                    "Flaws in source playlists that were passed on, dropped or repaired, counted in each new playlist.",
                    {{"channel", channel_}, {"flaw", flaw}}))
            .first;
  found->second.add(static_cast<double>(lines));
}

void SourceMetrics::media_probed(std::string_view result) {
  auto found = looks_.find(result);
  if (found == looks_.end())
    found = looks_
                .emplace(result, metrics_.counter("tribune_balancer_media_looks_total",
                                                  "Probes of the media of sources without a multivariant playlist, by "
                                                  "result: found, not_understood or failed.",
                                                  {{"channel", channel_}, {"result", result}}))
                .first;
  found->second.add();
}

void SourceMetrics::compared_backup(std::string_view result) {
  auto found = comparisons_.find(result);
  if (found == comparisons_.end())
    found = comparisons_
                .emplace(result, metrics_.counter("tribune_balancer_backup_comparisons_total",
                                                  "Comparisons of a backup's playlist with that of the source, by "
                                                  "result: same, different, unrelated, unknown or failed.",
                                                  {{"channel", channel_}, {"result", result}}))
                .first;
  found->second.add();
}

void SourceMetrics::failed(const base::Error& error) {
  const auto reason = base::to_string(error.kind);
  auto found = failures_.find(reason);
  if (found == failures_.end())
    found = failures_
                .emplace(reason, metrics_.counter("tribune_balancer_source_failures_total",
                                                  "Refreshes of source playlists that failed, by reason.",
                                                  {{"channel", channel_}, {"reason", reason}}))
                .first;
  found->second.add();
}

void SourceMetrics::fetched_document(std::string_view kind, std::string_view result) {
  metrics_
      .counter("tribune_balancer_document_fetches_total",
               "Fetches of documents that the source's playlists refer to, by kind and result.",
               {{"channel", channel_}, {"kind", kind}, {"result", result}})
      .add();
}

}  // namespace tribune::balancer
