#include "balancer/sources/source_links.h"

#include <fmt/format.h>

#include <algorithm>

#include "balancer/sources/documents/document.h"
#include "balancer/sources/playlist_query.h"
#include "base/hash.h"
#include "contracts/link.h"
#include "hls/attributes.h"

namespace tribune::balancer {
namespace {

using hls::UriKind;

bool goes_to_node(UriKind kind) {
  return kind == UriKind::segment || kind == UriKind::part || kind == UriKind::preload_hint;
}
bool is_signed(UriKind kind) {
  return goes_to_node(kind) || kind == UriKind::map || kind == UriKind::key || kind == UriKind::session_key;
}
bool is_key(UriKind kind) { return kind == UriKind::key || kind == UriKind::session_key; }
/// The URIs that this balancer and the nodes serve, at every origin of the channel. Ads, their lists, dates, session
/// data and steering manifests may be elsewhere.
bool must_be_known(UriKind kind) {
  return is_signed(kind) || (hls::leads_to_playlist(kind) && kind != UriKind::asset_uri);
}

/// Whether players may receive a URI of this kind with a scheme other than http and https. Keys of DRM systems have
/// data: (Widevine, PlayReady), skd: (FairPlay) or urn: (identifiers). No other scheme has a meaning in a playlist, and
/// some lead out of it (javascript:, file:).
bool may_have_scheme(UriKind kind, std::string_view scheme) {
  if (is_key(kind)) return scheme == "data" || scheme == "skd" || scheme == "urn";
  return !must_be_known(kind) && scheme == "data";
}

// Both paths are below the same session directory; its name does not change the result.
std::string reference_between(std::string_view from, std::string_view to) {
  return http::relative_reference("/s/" + std::string(from), "/s/" + std::string(to));
}

// The suffix of a file name, such as ".ts", on which some players depend; empty when there is none.
std::string_view suffix_of(std::string_view uri) {
  constexpr std::size_t kLongest = 5;
  uri = uri.substr(0, uri.find_first_of("?#"));
  const auto dot = uri.find_last_of("./");
  if (dot == std::string_view::npos || uri[dot] != '.' || uri.size() - dot > kLongest) return {};
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return std::all_of(uri.begin() + static_cast<std::ptrdiff_t>(dot) + 1, uri.end(), is_plain) ? uri.substr(dot)
                                                                                              : std::string_view{};
}

// A hash of the attributes of a playlist's tag, without its URI.
std::uint64_t attribute_bytes_of(const hls::Playlist& playlist, const hls::UriUse& use) {
  constexpr std::string_view kTag = "#EXT-X-STREAM-INF";
  std::string text;
  if (use.kind == UriKind::variant) {
    auto line = use.line;
    while (line > 0 && !playlist.lines[line].text.starts_with(kTag)) --line;
    text = playlist.lines[line].text;
  } else {
    text = playlist.lines[use.line].text;
    text.erase(use.begin, use.length);
  }
  return base::fnv1a(text);  // equal in every process, because it is saved
}

std::optional<DocumentKind> document_of(const hls::Playlist& playlist, const hls::UriUse& use) {
  if (use.kind == UriKind::asset_list) return DocumentKind::asset_list;
  if (use.kind == UriKind::steering) return DocumentKind::steering;
  if (use.kind != UriKind::session_data) return std::nullopt;
  const auto line = playlist.lines[use.line].text;
  std::vector<hls::Attribute> attributes;
  const auto* format =
      hls::read_attributes(line, line.find(':') + 1, attributes) ? nullptr : hls::find(attributes, "FORMAT");
  return format && format->value == "RAW" ? DocumentKind::raw : DocumentKind::json;
}

// The error contains the URI without its query, which may be a secret.
tl::unexpected<base::Error> unusable(const hls::UriUse& use, std::string_view why,
                                     base::ErrorKind kind = base::ErrorKind::invalid_input) {
  constexpr std::size_t kShown = 200;
  const auto uri = std::string_view(use.uri).substr(0, std::min(use.uri.find('?'), kShown));
  return base::failure(kind, base::Fault::origin, fmt::format("line {}: \"{}\": {}", use.line + 1, uri, why), true);
}

tl::unexpected<base::Error> foreign(const hls::UriUse& use) {
  return unusable(use, "is at no origin of the channel; extra_origins may name further ones");
}

base::Status check_scheme(const hls::UriUse& use, std::string_view scheme) {
  if (may_have_scheme(use.kind, scheme)) return {};
  return unusable(use, fmt::format("has the scheme {}, which is not allowed here", scheme.substr(0, 32)));
}

}  // namespace

std::optional<std::string> other_scheme(std::string_view uri) {
  std::string text(uri);
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) <= ' '; });
  auto scheme = http::scheme_of(text);
  return scheme && *scheme != "http" && *scheme != "https" ? scheme : std::nullopt;
}

base::Status SourceLinks::check(const hls::Playlist& playlist, const contracts::OriginSet& origins,
                                const http::Uri& base, const hls::Limits& limits) {
  for (const auto& use : playlist.uris) {
    if (const auto scheme = other_scheme(use.uri)) {
      if (auto fine = check_scheme(use, *scheme); !fine) return fine;
      continue;
    }
    if (!must_be_known(use.kind)) continue;
    const auto uri = http::resolve_as_written(base, use.uri, limits.max_uri_bytes);
    if (!uri) return unusable(use, uri.error().text, uri.error().kind);
    const auto origin = contracts::to_origin_path(origins, *uri);
    if (!origin || origin->path.empty()) return foreign(use);
  }
  return {};
}

std::string playlist_path(const contracts::OriginPath& origin) {
  return origin.path == kIndexPath ? "~media/" + origin.path : origin.path;
}

struct SourceLinks::Work {
  const hls::Playlist& playlist;
  const LinkMaking& making;
  const LinkPlace& place;
  const std::vector<NamedPlaylist>& named;
  SourceLinks& links;
  std::unordered_map<std::string, SourceLinkPtr> listed{};
  std::vector<SourceLinkPtr> out{};
  std::size_t next_named = 0;
  std::uint64_t bytes = 0;

  std::int64_t expiry(const hls::UriUse& use) const {
    return place.timeline ? place.timeline->expiry(place.track, use.msn) : place.expires;
  }
  std::int64_t pace(const hls::UriUse& use) const {
    return place.timeline ? place.timeline->pace_kbps(place.track, use.msn) : 0;
  }
  const std::string& epoch(const hls::UriUse& use) const {
    return place.timeline ? place.timeline->generation(use.generation).epoch : place.epoch;
  }
  // A segment or part is identified by its number and the expiry that was fixed with it, other URIs by the URI and by
  // what their link contains. A hint is also identified by its URI, and becomes the part's link only when the part has
  // that URI. A gap is distinct from the segment that replaces it later.
  std::string key_of(const hls::UriUse& use) const {
    if (use.kind == UriKind::preload_hint) return hint_key(use);
    if (use.kind == UriKind::segment) return fmt::format("s {} {} {}", use.generation, use.msn, expiry(use));
    if (goes_to_node(use.kind)) return fmt::format("p {} {} {} {}", use.generation, use.msn, use.part, expiry(use));
    if (const auto document = document_of(playlist, use))
      return fmt::format("d {} {} {} {}", making.serves_documents, to_string(*document), use.generation, use.uri);
    return is_signed(use.kind) ? fmt::format("o {} {} {} {}", use.generation, expiry(use), pace(use), use.uri)
                               : fmt::format("o {} {}", use.generation, use.uri);
  }
  std::string hint_key(const hls::UriUse& use) const {
    return fmt::format("h {} {} {} {} {}", use.generation, use.msn, use.part, expiry(use), use.uri);
  }

  SourceLinkPtr remembered(const std::string& key) const {
    if (const auto found = listed.find(key); found != listed.end()) return found->second;
    const auto found = links.listed_.find(key);
    if (found == links.listed_.end()) return nullptr;
    const auto& link = found->second;
    // A channel that has become paid lists no link any more that nodes accept.
    const bool is_too_open = making.use == contracts::LinkUse::redirect && link && !link->target.empty() &&
                             link->use != contracts::LinkUse::redirect;
    return is_too_open ? nullptr : link;
  }

  base::Status add(const hls::UriUse& use) {
    auto key = key_of(use);
    // Playlists are registered again with every refresh, so that they stay known.
    const bool is_renewed =
        playlist.multivariant && document_of(playlist, use);  // with another key, long before the old one ends
    if (!hls::leads_to_playlist(use.kind) && !is_renewed) {
      if (auto link = remembered(key)) return add_link(key, std::move(link));
      const bool is_gap = playlist.is_gap(use);
      if (is_gap) key += " gap";
      const auto& other_name = use.kind == UriKind::part && !is_gap ? hint_key(use) : key;
      if (auto link = remembered(other_name)) return add_link(key, std::move(link));
    }
    auto made = make(use);
    if (!made) return tl::unexpected(made.error());
    return add_link(key, std::move(*made));
  }

  // Adds a link, and counts its length in the text: with the node's URL, or relative.
  base::Status add_link(const std::string& key, SourceLinkPtr link) {
    constexpr std::uint64_t kNodeUrl = 128;
    if (link) bytes += std::max<std::uint64_t>(link->reference.size(), link->target.size() + kNodeUrl);
    if (bytes > place.limits.max_rewritten_bytes)
      return base::failure(
          base::ErrorKind::too_large, base::Fault::origin,
          fmt::format("the playlist exceeds {} bytes with the links for viewers", place.limits.max_rewritten_bytes),
          true);
    out.push_back(link);
    listed.emplace(key, std::move(link));
    return {};
  }

  base::Result<SourceLinkPtr> make(const hls::UriUse& use) {
    if (playlist.is_gap(use)) return gap_link(use);
    if (const auto scheme = other_scheme(use.uri)) {
      if (auto fine = check_scheme(use, *scheme); !fine) return tl::unexpected(fine.error());
      return SourceLinkPtr{};
    }
    const auto uri = http::resolve_as_written(links.base_of(use, place), use.uri, place.limits.max_uri_bytes);
    if (!uri && (must_be_known(use.kind) || uri.error().kind == base::ErrorKind::too_large))
      return unusable(use, uri.error().text, uri.error().kind);
    if (!uri) return SourceLinkPtr{};
    const auto origin = contracts::to_origin_path(making.origins, *uri);
    if (!origin || origin->path.empty()) {
      if (must_be_known(use.kind)) return foreign(use);
      return absolute(*uri);
    }
    if (hls::leads_to_playlist(use.kind)) return playlist_link(use);
    if (is_signed(use.kind)) return signed_link(use, *origin);
    if (const auto document = document_of(playlist, use); document && making.serves_documents)
      return document_link({*document, *origin}, use);
    return absolute(*uri);
  }

  SourceLinkPtr absolute(const http::Uri& uri) const {
    return std::make_shared<const SourceLink>(SourceLink{uri.text(), "", false, false});
  }

  SourceLinkPtr gap_link(const hls::UriUse& use) const {
    const auto part = use.part < 0 ? std::string() : fmt::format("-{}", use.part);
    const auto path = fmt::format("{}{}{}{}", kGapPath, use.msn, part, suffix_of(use.uri));
    return std::make_shared<const SourceLink>(SourceLink{reference_between(place.path, path), "", false, true});
  }

  SourceLinkPtr playlist_link(const hls::UriUse& use) {
    const auto index = static_cast<std::size_t>(&use - playlist.uris.data());
    while (next_named < named.size() && named[next_named].use < index) ++next_named;
    if (next_named == named.size() || named[next_named].use != index) return {};
    const auto& playlist_named = named[next_named];
    auto reference = reference_between(place.path, playlist_named.path);
    if (!playlist_named.query.empty()) reference += "?" + playlist_named.query;
    return std::make_shared<const SourceLink>(SourceLink{std::move(reference), "", false, true});
  }

  base::Result<SourceLinkPtr> document_link(const DocumentName& name, const hls::UriUse& use) const {
    const auto target = signed_document(*making.keys, making.channel, name, place.now);
    if (target.empty())
      return base::failure(base::ErrorKind::internal, base::Fault::tribune,
                           fmt::format("no link can be signed for \"{}\"", use.uri));
    const auto mark = target.find('?');
    return std::make_shared<const SourceLink>(
        SourceLink{reference_between(place.path, target.substr(0, mark)) + target.substr(mark), "", false, true});
  }

  base::Result<SourceLinkPtr> signed_link(const hls::UriUse& use, const contracts::OriginPath& origin) const {
    contracts::Link link{making.channel, epoch(use), origin.path, origin.query, expiry(use), pace(use)};
    const auto for_nodes = contracts::signed_query(*making.keys, link, place.now);
    link.use = making.use;
    const auto query =
        link.use == contracts::LinkUse::anywhere ? for_nodes : contracts::signed_query(*making.keys, link, place.now);
    if (for_nodes.empty() || query.empty())
      return base::failure(base::ErrorKind::internal, base::Fault::tribune,
                           fmt::format("no link can be signed for \"{}\"", use.uri));
    return std::make_shared<const SourceLink>(SourceLink{reference_between(place.path, origin.path) + "?" + query,
                                                         contracts::media_target(link, for_nodes),
                                                         goes_to_node(use.kind), true, link.use});
  }
};

void SourceLinks::note_base(const hls::Playlist& playlist, const LinkPlace& place) {
  constexpr std::size_t kBasesKept = 16;
  const auto newest = playlist.segments.empty() ? 0 : playlist.segments.back().generation;
  bases_[newest] = place.base;
  while (bases_.size() > kBasesKept) bases_.erase(bases_.begin());
}

const http::Uri& SourceLinks::base_of(const hls::UriUse& use, const LinkPlace& place) const {
  const auto base = bases_.find(use.generation);
  return base == bases_.end() ? place.base : base->second;
}

std::vector<NamedPlaylist> SourceLinks::named(const hls::Playlist& playlist, const LinkMaking& making,
                                              const LinkPlace& place) {
  note_base(playlist, place);
  std::vector<NamedPlaylist> named;
  for (std::size_t i = 0; i < playlist.uris.size(); ++i) {
    const auto& use = playlist.uris[i];
    if (!hls::leads_to_playlist(use.kind) || playlist.is_gap(use)) continue;
    const auto uri = http::resolve_as_written(base_of(use, place), use.uri, place.limits.max_uri_bytes);
    const auto origin = uri ? contracts::to_origin_path(making.origins, *uri) : std::nullopt;
    if (!origin || origin->path.empty()) continue;
    named.push_back({playlist_path(*origin), origin_query(origin->query), *uri, use.kind, use.bandwidth_bps,
                     playlist.multivariant ? attribute_bytes_of(playlist, use) : 0, i});
  }
  return named;
}

base::Result<std::vector<SourceLinkPtr>> SourceLinks::link(const hls::Playlist& playlist, const LinkMaking& making,
                                                           const LinkPlace& place,
                                                           const std::vector<NamedPlaylist>& named) {
  note_base(playlist, place);
  Work work{playlist, making, place, named, *this};
  for (const auto& line : playlist.lines) work.bytes += line.text.size() + 2;
  work.out.reserve(playlist.uris.size());
  for (const auto& use : playlist.uris)
    if (auto fine = work.add(use); !fine) return tl::unexpected(fine.error());
  listed_ = std::move(work.listed);
  return std::move(work.out);
}

}  // namespace tribune::balancer
