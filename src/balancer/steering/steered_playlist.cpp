#include "balancer/steering/steered_playlist.h"

#include <fmt/format.h>

#include <algorithm>

#include "balancer/routing/pathways.h"
#include "base/encoding.h"
#include "base/signing.h"
#include "hls/attributes.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

constexpr std::string_view kVariant = "#EXT-X-STREAM-INF:", kIframes = "#EXT-X-I-FRAME-STREAM-INF:",
                           kMedia = "#EXT-X-MEDIA:";
constexpr std::size_t kStableBytes = 9;

/// A tag that is repeated for each pathway, with the URI line of a variant.
struct SteeredEntry {
  std::string_view tag;  // without its line end
  std::string_view uri;  // the line after it; empty for tags with a URI attribute
};

struct PlaylistParts {
  std::vector<std::string_view> once;
  std::vector<SteeredEntry> repeated;
};

std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  return line;
}

bool is_captions(std::string_view tag) {
  std::vector<hls::Attribute> attributes;
  if (hls::read_attributes(tag, kMedia.size(), attributes)) return true;  // malformed: left unchanged
  const auto* type = hls::find(attributes, "TYPE");
  return !type || type->value == "CLOSED-CAPTIONS";
}

PlaylistParts parts_of(std::string_view text) {
  PlaylistParts parts;
  while (!text.empty()) {
    const auto line = next_line(text);
    if (line.starts_with(kVariant)) {
      std::string_view uri;
      while (!text.empty() && uri.empty()) {
        const auto next = next_line(text);
        if (!next.empty() && next.front() != '#')
          uri = next;
        else if (!next.empty())
          parts.once.push_back(next);
      }
      parts.repeated.push_back({line, uri});
    } else if (line.starts_with(kIframes) || (line.starts_with(kMedia) && !is_captions(line))) {
      parts.repeated.push_back({line, {}});
    } else if (!line.empty()) {
      parts.once.push_back(line);
    }
  }
  return parts;
}

std::string stable_id(std::string_view of) { return base::to_base64url(base::sha256(of).substr(0, kStableBytes)); }

/// Writes entries for one pathway.
class Pathway {
 public:
  Pathway(std::string_view id, std::string_view under) : id_(id), under_(under), element_(pathway_element(id)) {}

  void write(const SteeredEntry& entry, std::string& out) const {
    const bool is_media = entry.tag.starts_with(kMedia);
    const auto from = entry.tag.find(':') + 1;
    std::vector<hls::Attribute> attributes;
    if (hls::read_attributes(entry.tag, from, attributes)) attributes.clear();
    std::string written(entry.tag.substr(0, from));
    std::size_t at = from;
    for (const auto& attribute : attributes) {
      const auto now = value_of(attribute);
      if (!now) continue;
      written.append(entry.tag.substr(at, attribute.begin - at)).append(*now);
      at = attribute.begin + attribute.value.size();
    }
    written.append(entry.tag.substr(at));
    const std::string_view stable = is_media ? "STABLE-RENDITION-ID" : "STABLE-VARIANT-ID";
    if (!hls::find(attributes, stable))
      written += fmt::format(",{}=\"{}\"", stable, stable_id(identity(entry, attributes)));
    if (!hls::find(attributes, "PATHWAY-ID")) written += fmt::format(",PATHWAY-ID=\"{}\"", id_);
    out.append(written).append("\n");
    if (!entry.uri.empty()) out.append(below_pathway(entry.uri)).append("\n");
  }

 private:
  std::optional<std::string> value_of(const hls::Attribute& attribute) const {
    if (!attribute.quoted) return std::nullopt;
    if (attribute.name == "URI") return below_pathway(attribute.value);
    if (attribute.name == "PATHWAY-ID") return std::string(id_);
    const bool is_group = attribute.name == "GROUP-ID" || attribute.name == "AUDIO" || attribute.name == "VIDEO" ||
                          attribute.name == "SUBTITLES";
    if (!is_group) return std::nullopt;
    return fmt::format("{}@{}", attribute.value, id_);
  }

  /// The text that identifies the variant or rendition in all pathways and in every session's playlist.
  std::string identity(const SteeredEntry& entry, const std::vector<hls::Attribute>& attributes) const {
    std::string made;
    for (const std::string_view name : {"TYPE", "GROUP-ID", "NAME", "LANGUAGE", "URI"})
      if (const auto* found = hls::find(attributes, name))
        made.append(name).append("=").append(within(found->value)).append("\n");
    return made.append(within(entry.uri));
  }

  std::string_view within(std::string_view uri) const {
    return !under_.empty() && uri.starts_with(under_) ? uri.substr(under_.size()) : uri;
  }

  std::string below_pathway(std::string_view uri) const {
    const bool stays = !uri.starts_with(under_) || http::scheme_of(uri) || uri.starts_with('/');
    return stays ? std::string(uri) : std::string(under_).append(element_).append(uri.substr(under_.size()));
  }

  std::string_view id_, under_;
  std::string element_;
};

}  // namespace

std::string steered(std::string_view text, std::string_view under, const Steering& steering) {
  if (steering.pathways.empty() || text.find("#EXT-X-CONTENT-STEERING") != std::string_view::npos)
    return std::string(text);
  const auto parts = parts_of(text);
  std::string out;
  out.reserve(text.size() * (steering.pathways.size() + 1));
  for (const auto line : parts.once) out.append(line).append("\n");
  out += fmt::format("#EXT-X-CONTENT-STEERING:SERVER-URI=\"{}\",PATHWAY-ID=\"{}\"\n", steering.server_uri,
                     steering.pathways.front());
  for (const auto& id : steering.pathways) {
    const Pathway pathway(id, under);
    for (const auto& entry : parts.repeated) pathway.write(entry, out);
  }
  return out;
}

}  // namespace tribune::balancer
