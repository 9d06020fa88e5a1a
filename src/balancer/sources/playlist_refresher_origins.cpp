// Which origin a playlist is fetched from, the probe of an origin that was left, and the comparison of backups.
#include "balancer/sources/playlist_refresher.h"
#include "balancer/sources/source_channel.h"

namespace tribune::balancer {
namespace {

constexpr int kMaxHops = 5;

bool has_end(std::string_view playlist) { return playlist.find("\n#EXT-X-ENDLIST") != std::string_view::npos; }

}  // namespace

net::FetchRequest PlaylistRefresher::request_to(std::string url) const {
  net::FetchRequest request;
  request.url = std::move(url);
  request.destinations.allowed_origins = contracts::allowed_origins(channel_.making().origins);
  request.destinations.allow_special_addresses = channel_.settings().allow_special_addresses;
  request.deadlines = channel_.settings().deadlines;
  request.max_redirects = kMaxHops;
  request.max_body_bytes = channel_.config().playlist_limits.max_bytes;
  request.accept_gzip = true;
  return request;
}

net::FetchRequest PlaylistRefresher::request_at(std::size_t origin) const {
  auto request = request_to(identity_.url);
  if (origin > 0) {
    const auto uri = http::parse_as_written(identity_.url);
    const auto at_backups = uri ? contracts::backup_uris(channel_.making().origins, *uri) : std::vector<http::Uri>{};
    if (origin <= at_backups.size()) request.url = at_backups[origin - 1].text();
  }
  return request;
}

// An origin that was left is probed beside the fetches that viewers wait for.
void PlaylistRefresher::probe(std::size_t origin) {
  probe_ =
      channel_.worker().client.get_whole(request_at(origin), [this, origin](base::Result<net::WholeAnswer> answer) {
        const auto finished = std::move(probe_);
        if (!answer) return origin_failed(origin, SourceOrigins::Failure::immediate, answer.error().text);
        if (answer->head.status != 200 || !answer->body.starts_with("#EXTM3U"))
          return origin_failed(origin, SourceOrigins::Failure::immediate, "the response is not a playlist");
        if (was_live() && !end_facts(origin).is_ended_by_operator && has_end(answer->body))
          return origin_failed(origin, SourceOrigins::Failure::delayed, "its playlist has ended");
        const auto stalled = stalled_texts_.find(origin);
        if (stalled != stalled_texts_.end() && stalled->second == answer->body)
          return origin_failed(origin, SourceOrigins::Failure::delayed, "the playlist does not change");
        stalled_texts_.erase(origin);
        if (channel_.origins().succeeded(origin)) channel_.on_origin_changed(origin, true, "");
      });
}

void PlaylistRefresher::origin_failed(std::size_t origin, SourceOrigins::Failure failure, std::string_view why) {
  if (channel_.origins().count() > 1 && channel_.origins().failed(origin, failure, now()))
    channel_.on_origin_changed(origin, false, why);
}

hls::Context PlaylistRefresher::context_of(const net::WholeAnswer& answer) const {
  return {channel_.config().playlist_limits, identity_.variables, answer.head.final_uri.query,
          channel_.config().strict};
}

/// A restart that is not believed yet, and an older copy, contradict backups that have the same files.
void PlaylistRefresher::note_source(const Timeline::Outcome& seen, const hls::Playlist& source, const http::Uri& base) {
  if (request_origin_ > 0 || channel_.origins().count() == 1) return;
  is_comparable_ = seen.playlist != nullptr;
  if (is_comparable_) files_.see(source, base);
}

/// A playlist that a backup does not have, or that is not valid, says nothing about its files.
void PlaylistRefresher::compare_with_backup() {
  if (comparison_ || !is_comparable_) return;
  const auto due = channel_.backup_trust().due(track(), now());
  if (!due) return;
  comparison_ = channel_.worker().client.get_whole(
      request_at(*due), [this, origin = *due](base::Result<net::WholeAnswer> answer) {
        const auto finished = std::move(comparison_);
        if (!answer || answer->head.status != 200) return channel_.metrics().compared_backup("failed");
        const auto playlist = hls::parse(answer->body, context_of(*answer));
        if (!playlist || playlist->multivariant) return channel_.metrics().compared_backup("failed");
        note_comparison(origin, *playlist, answer->head.final_uri);
      });
}

void PlaylistRefresher::note_comparison(std::size_t origin, const hls::Playlist& playlist, const http::Uri& base) {
  channel_.on_backup_compared(origin, track(), files_.compare(playlist, base), playlist.target_duration);
}

}  // namespace tribune::balancer
