#pragma once
// A multivariant playlist with pathways (RFC 8216bis sections 4.4.6.2 and 4.4.6.6): every variant, and every rendition
// with a playlist, stands once for each pathway. A pure function.
//
//   variants              PATHWAY-ID, STABLE-VARIANT-ID where the source gave none, groups of their own, a URI under
//   the pathway renditions            GROUP-ID "{group}@{pathway}", STABLE-RENDITION-ID, a URI under the pathway.
//   PATHWAY-ID too, which no
//                         specification asks for and Shaka wants for subtitles
//   closed captions, image streams, everything else    once, as they are, before the pathways

#include <string>
#include <string_view>
#include <vector>

namespace tribune::balancer {

struct Steering {
  std::string server_uri;
  std::vector<std::string> pathways;  // the best first: it is the initial one
};

/// `under`: what references into the session begin with, "~{token}/" or nothing; a URI with a scheme, or that begins
/// otherwise, leads elsewhere and stays. A playlist whose source steers by itself, and any playlist without pathways,
/// comes back as it is.
std::string steered(std::string_view text, std::string_view under, const Steering&);

}  // namespace tribune::balancer
