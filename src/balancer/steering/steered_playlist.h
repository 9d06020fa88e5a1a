#pragma once
// A multivariant playlist with pathways (RFC 8216bis sections 4.4.6.2 and 4.4.6.6): every variant, and every rendition
// with a playlist, is listed once for each pathway. A pure function.
//
//   variants            PATHWAY-ID, STABLE-VARIANT-ID if the source has none, groups of the pathway, a URI below it
//   renditions          GROUP-ID "{group}@{pathway}", STABLE-RENDITION-ID, a URI below the pathway, and PATHWAY-ID,
//                       which no specification requires and Shaka needs for subtitles
//   everything else     once, unchanged, before the pathways; also closed captions and image streams

#include <string>
#include <string_view>
#include <vector>

namespace tribune::balancer {

struct Steering {
  std::string server_uri;
  std::vector<std::string> pathways;  // the best first, which is the initial pathway
};

/// `under`: the prefix of references into the session, "~{token}/" or empty. A URI with a scheme or another prefix is
/// unchanged. A playlist whose source has its own steering is returned unchanged, as is any playlist when there are no
/// pathways.
std::string steered(std::string_view text, std::string_view under, const Steering&);

}  // namespace tribune::balancer
