#pragma once
// Documents of the source that its playlists name beside media: asset lists of interstitials (X-ASSET-LIST), session
// data (EXT-X-SESSION-DATA) and the source's own steering manifest. Values and pure functions.
//
//   ~doc/{kind}/{query}/{origin path}?tl=…
//
// The origin's own query is in the path, as base64url or "-", because players rewrite a query when they add their keys.
// The signature covers the whole path, so that only documents named by a playlist of the channel can be requested. It
// is valid as long as its key, because a player keeps requesting a steering manifest for hours, and every request shows
// a session.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/signing.h"
#include "contracts/origin_path.h"

namespace tribune::balancer {

enum class DocumentKind { asset_list, steering, json, raw };

/// The name in paths, the log and metrics; a literal.
std::string_view to_string(DocumentKind);

inline constexpr std::string_view kDocumentPath = "~doc/";

struct DocumentName {
  DocumentKind kind{};
  contracts::OriginPath origin;
  bool operator==(const DocumentName&) const = default;
};

/// The path after `~{session}/`.
std::string document_path(const DocumentName&);
std::optional<DocumentName> read_document_path(std::string_view path);

/// The path with its signature, as a reference relative to `~{session}/`. Empty when no key can sign.
std::string signed_document(const base::KeyRing&, std::string_view channel, const DocumentName&, base::WallTime now);
/// Errors: forbidden for a path that is forged, damaged or of another channel.
base::Result<DocumentName> verify_document(const base::KeyRing&, std::string_view channel, std::string_view path,
                                           std::string_view query, base::WallTime now);

/// The keys of a player's query that the origin needs: _HLS_start_offset of an asset list, with a precision of
/// milliseconds, and _HLS_pathway of a steering manifest. Empty for other kinds and for malformed values.
std::string query_for_origin(DocumentKind, std::string_view players_query);

/// A document as viewers receive it. Immutable.
struct Document {
  std::string_view content_type;
  std::vector<std::string> pieces;  // of the text, split before each reference into the session

  /// `under`: the URL prefix of the session, "/live/{channel}/~{session}/".
  std::string text(std::string_view under) const;
  std::size_t bytes() const;
};
using DocumentPtr = std::shared_ptr<const Document>;
using OnDocument = std::function<void(base::Result<DocumentPtr>)>;

/// The document that a viewer requests.
struct DocumentLookup {
  std::string_view channel;
  DocumentName name;
  std::string query;  // query_for_origin()
};

}  // namespace tribune::balancer
