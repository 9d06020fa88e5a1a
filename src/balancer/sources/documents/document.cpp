#include "balancer/sources/documents/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/encoding.h"
#include "contracts/link.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

constexpr std::array<std::string_view, 4> kWords{"assets", "steering", "json", "raw"};
constexpr std::string_view kNoQuery = "-";
constexpr std::string_view kDocumentEpoch =
    "doc";  // of no timeline: the content of a document may change, its name does not

/// "12.345", as players write a time; truncated to milliseconds. Nullopt for anything but a time within a day.
std::optional<std::string> seconds_of(std::string_view text) {
  constexpr double kLongest = 86'400;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0) || value > kLongest) return std::nullopt;
  return fmt::format("{}", std::floor(value * 1'000) / 1'000);
}

/// A pathway's id, quoted or unquoted (RFC 8216bis section 7.1).
bool is_pathway_id(std::string_view text) {
  constexpr std::size_t kLongest = 64;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  return !text.empty() && text.size() <= kLongest && std::all_of(text.begin(), text.end(), is_plain);
}

tl::unexpected<base::Error> forbidden() {
  return base::failure(base::ErrorKind::forbidden, base::Fault::client,
                       "no playlist of this channel refers to this document");
}

}  // namespace

std::string_view to_string(DocumentKind kind) { return kWords[static_cast<std::size_t>(kind)]; }

std::string document_path(const DocumentName& name) {
  const auto query = name.origin.query.empty() ? std::string(kNoQuery) : base::to_base64url(name.origin.query);
  return fmt::format("{}{}/{}/{}", kDocumentPath, to_string(name.kind), query, name.origin.path);
}

std::optional<DocumentName> read_document_path(std::string_view path) {
  if (!path.starts_with(kDocumentPath)) return std::nullopt;
  path.remove_prefix(kDocumentPath.size());
  const auto after_kind = path.find('/');
  const auto after_query = after_kind == std::string_view::npos ? after_kind : path.find('/', after_kind + 1);
  if (after_query == std::string_view::npos || after_query + 1 == path.size()) return std::nullopt;
  const auto kind = std::find(kWords.begin(), kWords.end(), path.substr(0, after_kind));
  const auto query = path.substr(after_kind + 1, after_query - after_kind - 1);
  auto decoded = query == kNoQuery ? std::string() : base::from_base64url(query);
  if (kind == kWords.end() || !decoded || (decoded->empty() && query != kNoQuery)) return std::nullopt;
  return DocumentName{static_cast<DocumentKind>(kind - kWords.begin()),
                      {std::string(path.substr(after_query + 1)), std::move(*decoded)}};
}

std::string signed_document(const base::KeyRing& keys, std::string_view channel, const DocumentName& name,
                            base::WallTime now) {
  const contracts::Link link{std::string(channel), std::string(kDocumentEpoch), document_path(name), "", 0, 0};
  const auto query = contracts::signed_query(keys, link, now);
  return query.empty() ? query : link.path + "?" + query;
}

base::Result<DocumentName> verify_document(const base::KeyRing& keys, std::string_view channel, std::string_view path,
                                           std::string_view query, base::WallTime now) {
  const auto link = contracts::verify_link(keys, channel, path, query, now, std::chrono::milliseconds{0}, 0);
  if (!link) return tl::unexpected(link.error());
  auto name = read_document_path(path);
  if (!name || link->epoch != kDocumentEpoch || !link->origin_query.empty()) return forbidden();
  return std::move(*name);
}

std::string query_for_origin(DocumentKind kind, std::string_view players_query) {
  if (kind == DocumentKind::asset_list) {
    const auto offset = http::query_decoded(players_query, "_HLS_start_offset");
    const auto seconds = offset ? seconds_of(*offset) : std::nullopt;
    return seconds ? "_HLS_start_offset=" + *seconds : "";
  }
  if (kind != DocumentKind::steering) return "";
  const auto pathway = http::query_decoded(players_query, "_HLS_pathway");
  return pathway && is_pathway_id(*pathway) ? "_HLS_pathway=" + http::percent_encode(*pathway) : "";
}

std::string Document::text(std::string_view under) const {
  std::string text = pieces.front();
  for (std::size_t i = 1; i < pieces.size(); ++i) text.append(under).append(pieces[i]);
  return text;
}

std::size_t Document::bytes() const {
  std::size_t sum = 0;
  for (const auto& piece : pieces) sum += piece.size() + sizeof(piece);
  return sum;
}

}  // namespace tribune::balancer
