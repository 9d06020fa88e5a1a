#include "cache_node/request/media_request_reader.h"

#include "cache_node/objects/object_key.h"
#include "contracts/peer_mark.h"
#include "contracts/receipt.h"
#include "http/cmcd.h"
#include "http/cmsd.h"
#include "http/problem.h"

namespace tribune::cache_node {

namespace {
struct MediaTarget {
  std::string_view channel, epoch, path, query;
};

/// "/media/{channel}/{epoch}/{path}?{query}"
std::optional<MediaTarget> parse_media_target(std::string_view target) {
  constexpr std::string_view kPrefix = "/media/";
  const auto mark = target.find('?');
  if (!target.starts_with(kPrefix) || mark == std::string_view::npos) return std::nullopt;
  const auto path = target.substr(kPrefix.size(), mark - kPrefix.size());
  const auto channel = path.find('/');
  const auto epoch = channel == std::string_view::npos ? channel : path.find('/', channel + 1);
  if (epoch == std::string_view::npos) return std::nullopt;
  return MediaTarget{path.substr(0, channel), path.substr(channel + 1, epoch - channel - 1), path.substr(epoch + 1),
                     target.substr(mark + 1)};
}

Asker::Kind asker_kind(contracts::PeerMark::Kind kind) {
  switch (kind) {
    case contracts::PeerMark::Kind::peer: return Asker::Kind::peer;
    case contracts::PeerMark::Kind::child: return Asker::Kind::child;
    case contracts::PeerMark::Kind::stranded: return Asker::Kind::stranded;
  }
  return Asker::Kind::peer;
}
}  // namespace

std::optional<MediaRequest> MediaRequestReader::read(net::Exchange& exchange,
                                                     const http::PathParameters& parameters) const {
  const auto view = parts_.view.get();
  const auto& request = exchange.request();
  exchange.note.node = view->settings.id;
  auto link = verify(*view, parameters["channel"], parameters["epoch"], parameters["path"], request.query);
  if (!link) {
    const bool is_expired = link.error().kind == base::ErrorKind::timeout;
    refuse(exchange, parts_.metrics.refused, is_expired ? http::problems::link_expired : http::problems::link_invalid,
           link.error().text, is_expired ? "link_expired" : "link_invalid");
    return std::nullopt;
  }
  MediaRequest media{std::move(*link), {}};
  media.retention = retention_of(view->retention_rules, media.link.channel, media.link.path);
  media.variant = variant_of(view->vary_rules, media.link, request.headers);
  media.listed_for = std::chrono::duration_cast<std::chrono::seconds>(view->settings.min_age);
  if (!read_peer_mark(exchange, *view, media)) return std::nullopt;
  if (!media.is_from_node()) note_viewer(exchange, *view, media.link);
  return media;
}

std::optional<MediaRequest> MediaRequestReader::read_target(std::string_view target) const {
  const auto view = parts_.view.get();
  const auto parsed = parse_media_target(target);
  if (!parsed) return std::nullopt;
  auto link = verify(*view, parsed->channel, parsed->epoch, parsed->path, parsed->query);
  if (!link) return std::nullopt;
  MediaRequest media{std::move(*link), {}};
  media.variant = variant_of(view->vary_rules, media.link, {});
  return media;
}

/// An expired link is accepted while playlists still list it; only an expired link costs that look-up.
base::Result<contracts::Link> MediaRequestReader::verify(const NodeView& view, std::string_view channel,
                                                         std::string_view epoch, std::string_view path,
                                                         std::string_view query) const {
  const auto now = parts_.clock.wall_now();
  auto link = contracts::verify_media_link(*view.keys, channel, epoch, path, query, now, view.clock_skew);
  if (link || link.error().kind != base::ErrorKind::timeout) return link;
  const auto listed_from = parts_.channels.listed_from(channel);
  return listed_from
             ? contracts::verify_media_link(*view.keys, channel, epoch, path, query, now, view.clock_skew, listed_from)
             : link;
}

/// False when the request was refused: its mark is not valid, or lists a purge that this node has not executed.
bool MediaRequestReader::read_peer_mark(net::Exchange& exchange, const NodeView& view, MediaRequest& media) const {
  const auto& headers = exchange.request().headers;
  if (!headers.first(contracts::kPeerHeader)) return true;
  const auto mark =
      contracts::read_mark(*view.keys, headers, object_text(media.link), parts_.clock.wall_now(), view.clock_skew);
  if (!mark) {
    refuse(exchange, parts_.node_metrics.refused, http::problems::forbidden, mark.error().text, "peer_mark_invalid");
    return false;
  }
  if (!mark->purges.empty() && !parts_.ensure_executed(mark->purges)) {
    // The response has no origin status, so the other node tries its next candidate, and at last the origin.
    refuse(exchange, parts_.node_metrics.refused, http::problems::node_unavailable,
           "a purge that covers the object is not yet executed on this node", "purge_pending");
    return false;
  }
  media.asker = {asker_kind(mark->kind), mark->tiers};
  return true;
}

/// Counts the viewer, reads its player's CMCD, and sets the response's CMSD fields and send rate.
void MediaRequestReader::note_viewer(net::Exchange& exchange, const NodeView& view, const contracts::Link& link) const {
  const auto& request = exchange.request();
  parts_.viewers.add(request.client, request.client_port);
  if (const auto report = http::read_cmcd(request.headers, request.query))
    parts_.metrics.players.add(*report, contracts::client_prefix(request.client).value_or(""));
  if (view.settings.cmsd) exchange.also = server_data(view, link.path);
  if (link.pace_kbps > 0) exchange.pace(static_cast<std::uint64_t>(link.pace_kbps) * 1'000);
}

/// The fields of CTA-5006. Each response has both: Shaka Player keeps an `mb` until it receives a CMSD-Dynamic without
/// one.
http::Headers MediaRequestReader::server_data(const NodeView& view, std::string_view path) const {
  const auto& id = view.settings.id;
  const auto fair = parts_.duress.fair_kbps();
  return {{"CMSD-Static", http::cmsd_static(id, http::cmsd_object_type(path))},
          {"CMSD-Dynamic", http::cmsd_dynamic(id, {fair.has_value(), fair})}};
}

}  // namespace tribune::cache_node
