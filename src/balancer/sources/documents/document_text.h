#pragma once
// The text that viewers get of a document of the source. Members that are not named here are unchanged. Pure functions.
//
//   asset list    URIs of ASSETS at the channel's origins: a media file becomes a signed link, anything else a playlist
//                 of this balancer. Other URIs are unchanged
//   steering      PATHWAY-CLONES are removed, because they name hosts of the origin's choice. A RELOAD-URI at the
//                 channel's origins is removed: players repeat their request, and this balancer requests that URI from
//                 the origin. Another RELOAD-URI becomes absolute
//   session data  unchanged

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/sources/documents/document.h"
#include "balancer/sources/source_links.h"
#include "base/result.h"
#include "http/uri.h"

namespace tribune::balancer {

inline constexpr std::uint64_t kMaxDocumentBytes = 256 * 1024;
inline constexpr std::size_t kMaxAssets = 100;  // of one list

/// The inputs of the links in a document.
struct DocumentMaking {
  const LinkMaking& links;
  http::Uri base;     // the URL that it was fetched from
  std::string epoch;  // of media files
  std::int64_t expires = 0;
  base::WallTime now;
};

struct DocumentText {
  std::vector<std::string> pieces;          // as in Document
  std::vector<NamedPlaylist> playlists;     // of an asset list
  std::optional<std::string> reload;        // of a steering manifest: where it is fetched next
  std::optional<std::chrono::seconds> ttl;  // of a steering manifest
};

/// Errors: invalid_input or too_large, fault origin.
base::Result<DocumentText> asset_list_text(std::string_view json, const DocumentMaking&);
base::Result<DocumentText> steering_text(std::string_view json, const DocumentMaking&);

}  // namespace tribune::balancer
