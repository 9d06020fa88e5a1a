#include "balancer/sources/documents/document_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "balancer/sources/playlist_query.h"
#include "base/json.h"
#include "contracts/link.h"

namespace tribune::balancer {
namespace {

using base::json::Kind;
using base::json::Value;

constexpr base::json::ParseLimits kLimits{
    .comments = false, .max_depth = 32, .max_bytes = kMaxDocumentBytes, .max_values = 20'000};

tl::unexpected<base::Error> invalid_document(std::string text, base::ErrorKind kind = base::ErrorKind::invalid_input) {
  return base::failure(kind, base::Fault::origin, std::move(text), true);
}

base::Result<Value> object_of(std::string_view json) {
  auto value = base::json::parse(json, kLimits);
  if (!value) return invalid_document(fmt::format("not JSON: {} at byte {}", value.error().text, value.error().offset));
  if (!value->is(Kind::object)) return invalid_document("not a JSON object");
  return std::move(*value);
}

/// Whether the name is that of a media file. Any other file is treated as a playlist.
bool is_media_file(std::string_view path) {
  constexpr std::array<std::string_view, 13> kSuffixes{".mp4", ".m4s", ".m4v", ".m4a", ".cmfv", ".cmfa", ".mov",
                                                       ".ts",  ".aac", ".mp3", ".ac3", ".ec3",  ".vtt"};
  return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [&](std::string_view suffix) { return path.ends_with(suffix); });
}

/// The position after the closing quote of the string that begins at `from`.
std::size_t end_of_string(std::string_view json, std::size_t from) {
  for (auto at = from + 1; at < json.size(); ++at) {
    if (json[at] == '\\')
      ++at;
    else if (json[at] == '"')
      return at + 1;
  }
  return json.size();
}

/// The reference into the session for an asset's URI; nullopt for a URI that is unchanged.
std::optional<std::string> session_reference(const std::string& written, const DocumentMaking& making,
                                             std::vector<NamedPlaylist>& playlists) {
  const auto scheme = http::scheme_of(written);
  if (written.empty() || (scheme && *scheme != "http" && *scheme != "https")) return std::nullopt;
  const auto uri = http::resolve_as_written(making.base, written);
  const auto origin = uri ? contracts::to_origin_path(making.links.origins, *uri) : std::nullopt;
  if (!origin || origin->path.empty()) return std::nullopt;
  if (is_media_file(uri->path)) {
    const contracts::Link link{making.links.channel, making.epoch, origin->path, origin->query, making.expires, 0,
                               making.links.use};
    return origin->path + "?" + contracts::signed_query(*making.links.keys, link, making.now);
  }
  NamedPlaylist named{playlist_path(*origin), origin_query(origin->query), *uri, hls::UriKind::asset_uri};
  auto reference = named.query.empty() ? named.path : named.path + "?" + named.query;
  playlists.push_back(std::move(named));
  return reference;
}

/// The members of the object, as substrings of the text.
std::vector<std::string_view> members_of(std::string_view json, const Value& object) {
  constexpr std::string_view kBlank = " \t\r\n";
  std::vector<std::string_view> members;
  for (std::size_t i = 0; i < object.object.size(); ++i) {
    const auto begin = object.object[i].name_offset;
    const bool is_last = i + 1 == object.object.size();
    const auto end = is_last ? json.rfind('}') : json.rfind(',', object.object[i + 1].name_offset);
    auto member = json.substr(begin, end - begin);
    member = member.substr(0, member.find_last_not_of(kBlank) + 1);
    members.push_back(member);
  }
  return members;
}

}  // namespace

base::Result<DocumentText> asset_list_text(std::string_view json, const DocumentMaking& making) {
  const auto root = object_of(json);
  if (!root) return tl::unexpected(root.error());
  const auto* assets = root->find("ASSETS");
  if (!assets || !assets->is(Kind::array)) return invalid_document("the asset list has no member ASSETS");
  if (assets->array.size() > kMaxAssets)
    return invalid_document(fmt::format("the asset list has more than {} assets", kMaxAssets),
                            base::ErrorKind::too_large);
  DocumentText made;
  std::string piece;
  std::size_t done = 0;
  for (const auto& asset : assets->array) {
    const auto* written = asset.is(Kind::object) ? asset.find("URI") : nullptr;
    if (!written || !written->is(Kind::string)) continue;
    if (const auto scheme = other_scheme(written->string); scheme && *scheme != "data")
      return base::failure(base::ErrorKind::invalid_input, base::Fault::origin,
                           "an asset has the scheme " + scheme->substr(0, 32) + ", which is not allowed");
    const auto reference = session_reference(written->string, making, made.playlists);
    if (!reference) continue;
    piece.append(json.substr(done, written->offset - done)).append("\"");
    made.pieces.push_back(std::move(piece));
    piece = base::json::escape(*reference) + "\"";
    done = end_of_string(json, written->offset);
  }
  made.pieces.push_back(std::move(piece.append(json.substr(done))));
  return made;
}

base::Result<DocumentText> steering_text(std::string_view json, const DocumentMaking& making) {
  const auto root = object_of(json);
  if (!root) return tl::unexpected(root.error());
  DocumentText made;
  if (const auto ttl = root->whole("TTL"); ttl && *ttl >= 0)
    made.ttl = std::chrono::seconds{std::min<std::int64_t>(*ttl, 86'400)};
  const auto members = members_of(json, *root);
  std::string text = "{";
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto& member = root->object[i];
    std::string written(members[i]);
    if (member.name == "PATHWAY-CLONES") continue;
    if (member.name == "RELOAD-URI" && member.value.is(Kind::string)) {
      const auto uri = http::resolve_as_written(making.base, member.value.string);
      if (!uri) continue;
      const auto origin = contracts::to_origin_path(making.links.origins, *uri);
      if (origin) made.reload = uri->text();
      if (origin) continue;
      written = "\"RELOAD-URI\":\"" + base::json::escape(uri->text()) + "\"";
    }
    text.append(text.size() > 1 ? "," : "").append(written);
  }
  made.pieces.push_back(text + "}");
  return made;
}

}  // namespace tribune::balancer
