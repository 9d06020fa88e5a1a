#include "balancer/sources/rendering.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/encoding.h"
#include "net/server/gzip.h"

namespace tribune::balancer {
namespace {

// Marks each reference into the session. No playlist can contain this character (RFC 8216bis section 4.1).
constexpr char kLinkMark = '\x01';

const std::string& node_url(const LinkPins& pins, std::int64_t msn) {
  const auto after = std::upper_bound(pins.begin(), pins.end(), msn,
                                      [](std::int64_t m, const LinkPin& pin) { return m < pin.first_msn; });
  return after == pins.begin() ? pins.front().node_url : std::prev(after)->node_url;
}

const SourceLink* link_of(const hls::Playlist& playlist, const std::vector<SourceLinkPtr>& links,
                          const hls::UriUse& use) {
  return links[static_cast<std::size_t>(&use - playlist.uris.data())].get();
}

std::vector<std::string> cut_at_marks(std::string_view text) {
  std::vector<std::string> pieces;
  for (;;) {
    const auto at = text.find(kLinkMark);
    pieces.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::string joined(const std::vector<std::string>& pieces, std::string_view between) {
  std::string text = pieces.front();
  for (std::size_t i = 1; i < pieces.size(); ++i) text.append(between).append(pieces[i]);
  return text;
}

std::string attributes_of(const OnlyVariant& variant) {
  const auto& media = variant.media;
  auto text = fmt::format("BANDWIDTH={}", variant.bandwidth_bps);
  if (variant.average_bandwidth_bps > 0) text += fmt::format(",AVERAGE-BANDWIDTH={}", variant.average_bandwidth_bps);
  if (!media.codecs.empty()) text += fmt::format(",CODECS=\"{}\"", fmt::join(media.codecs, ","));
  if (media.width > 0) text += fmt::format(",RESOLUTION={}x{}", media.width, media.height);
  if (media.frame_rate > 0) text += fmt::format(",FRAME-RATE={:.3f}", media.frame_rate);
  return text;
}

}  // namespace

std::string media_text(const hls::Playlist& playlist, const std::vector<SourceLinkPtr>& links, const LinkPins& pins) {
  const auto map = [&](const hls::UriUse& use) -> std::optional<std::string> {
    const auto* link = link_of(playlist, links, use);
    if (!link) return std::nullopt;
    if (!link->is_pinned || pins.empty()) return link->reference;
    const auto& url = node_url(pins, use.msn);
    return url.empty() ? link->reference : url + link->target;
  };
  return hls::write(playlist, map, {.drop_delta_updates = true});
}

std::shared_ptr<const Rendered> rendered(std::string text) {
  constexpr std::size_t kTagBytes = 12;
  auto made = std::make_shared<Rendered>();
  const auto tag = base::to_base64url(base::sha256(text).substr(0, kTagBytes));
  made->etag = "\"" + tag + "\"";
  made->gzip_etag = "\"" + tag + "-gzip\"";
  auto packed = net::gzip(text);
  if (!packed.empty() && packed.size() < text.size()) made->gzip = base::share(std::move(packed));
  made->body = base::share(std::move(text));
  return made;
}

MediaSnapshot::MediaSnapshot(std::shared_ptr<const hls::Playlist> playlist, std::vector<SourceLinkPtr> links,
                             base::WallTime confirmed_at, base::Counter renders,
                             std::shared_ptr<RenderedPlaylists> texts, bool is_variant)
    : playlist_(std::move(playlist)),
      links_(std::move(links)),
      confirmed_at_(confirmed_at),
      renders_(renders),
      texts_(std::move(texts)),
      owner_(texts_->new_owner()),
      is_variant_(is_variant) {}

MediaSnapshot::~MediaSnapshot() { texts_->forget(owner_); }

std::shared_ptr<const Rendered> MediaSnapshot::build(const LinkPins& pins) const {
  renders_.add();
  return rendered(media_text(*playlist_, links_, pins));
}

std::shared_ptr<const Rendered> MediaSnapshot::render(const LinkPins& pins) const {
  return texts_->get(owner_, pins, [&] { return build(pins); });
}

// This is not used: only a multivariant playlist opens a session.
std::string MediaSnapshot::text_for_bare_url(std::string_view) const { return *render({})->body; }

MultivariantSnapshot::MultivariantSnapshot(const hls::Playlist& playlist, const std::vector<SourceLinkPtr>& links,
                                           base::WallTime confirmed_at)
    : confirmed_at_(confirmed_at) {
  const auto map = [&](const hls::UriUse& use) -> std::optional<std::string> {
    const auto* link = link_of(playlist, links, use);
    if (!link) return std::nullopt;
    return link->is_within_session ? kLinkMark + link->reference : link->reference;
  };
  pieces_ = cut_at_marks(hls::write(playlist, map));
  rendered_ = rendered(joined(pieces_, ""));
}

MultivariantSnapshot::MultivariantSnapshot(const OnlyVariant& variant, base::WallTime confirmed_at)
    : confirmed_at_(confirmed_at) {
  pieces_ = {fmt::format("#EXTM3U\n#EXT-X-STREAM-INF:{}\n", attributes_of(variant)),
             fmt::format("{}\n", kOnlyMediaPath)};
  rendered_ = rendered(joined(pieces_, ""));
}

std::string MultivariantSnapshot::text_for_bare_url(std::string_view token) const {
  return joined(pieces_, "~" + std::string(token) + "/");
}

}  // namespace tribune::balancer
