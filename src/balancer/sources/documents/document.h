#pragma once
// Documents of the source that its playlists name beside media: lists of interstitials' assets (X-ASSET-LIST), session
// data (EXT-X-SESSION-DATA) and the source's own steering manifest. Values and pure functions.
//
//   ~doc/{kind}/{query}/{origin path}?tl=…
//
// The origin's own query stands in the path, as base64url or "-", for players write a query anew when they add their
// keys to it. The signature covers the whole path, so nothing can be asked for that no playlist of the channel named;
// it holds for as long as its key does, since a player goes on asking for a steering manifest that it was told of hours
// ago, and every request shows a session.

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

/// As it stands in paths, the log and metrics; a literal.
std::string_view to_string(DocumentKind);

inline constexpr std::string_view kDocumentPath = "~doc/";

struct DocumentName {
  DocumentKind kind{};
  contracts::OriginPath origin;
  bool operator==(const DocumentName&) const = default;
};

/// After `~{session}/`.
std::string document_path(const DocumentName&);
std::optional<DocumentName> read_document_path(std::string_view path);

/// The path with its signature, as a reference from `~{session}/`. Empty when no key can sign.
std::string signed_document(const base::KeyRing&, std::string_view channel, const DocumentName&, base::WallTime now);
/// Errors: kind forbidden for anything forged, damaged or of another channel.
base::Result<DocumentName> verify_document(const base::KeyRing&, std::string_view channel, std::string_view path,
                                           std::string_view query, base::WallTime now);

/// What the origin needs of what a player adds to the URL: _HLS_start_offset of an asset list, in milliseconds'
/// precision, and _HLS_pathway of a steering manifest. Empty for everything else, and for values that are none.
std::string query_for_origin(DocumentKind, std::string_view players_query);

/// A document as viewers get it. Immutable.
struct Document {
  std::string_view content_type;
  std::vector<std::string> pieces;  // of the text, cut before each reference into the session

  /// `under`: what leads into the session, "/live/{channel}/~{session}/".
  std::string text(std::string_view under) const;
  std::size_t bytes() const;
};
using DocumentPtr = std::shared_ptr<const Document>;
using OnDocument = std::function<void(base::Result<DocumentPtr>)>;

/// Which document a viewer asks for.
struct DocumentQuestion {
  std::string_view channel;
  DocumentName name;
  std::string query;  // query_for_origin()
};

}  // namespace tribune::balancer
