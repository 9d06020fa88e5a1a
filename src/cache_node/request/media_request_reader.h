#pragma once
// Reads a request for a media object: verifies its signed link and, on a request of another node, that node's mark.

#include <optional>
#include <string_view>

#include "base/result.h"
#include "cache_node/request/media_flow_parts.h"
#include "contracts/link.h"
#include "http/message.h"
#include "http/router.h"

namespace tribune::cache_node {

/// Immutable; const methods from any thread.
class MediaRequestReader {
 public:
  explicit MediaRequestReader(const MediaFlowParts& parts) : parts_(parts) {}

  /// Nullopt when the request was refused.
  std::optional<MediaRequest> read(net::Exchange&, const http::PathParameters&) const;

  /// The request for a signed link's target ("/media/…?…") without request fields; it selects the variant of requests
  /// without them. Nullopt when the link is not valid.
  std::optional<MediaRequest> read_target(std::string_view target) const;

 private:
  base::Result<contracts::Link> verify(const NodeView&, std::string_view channel, std::string_view epoch,
                                       std::string_view path, std::string_view query) const;
  bool read_peer_mark(net::Exchange&, const NodeView&, MediaRequest&) const;
  void note_viewer(net::Exchange&, const NodeView&, const contracts::Link&) const;
  http::Headers server_data(const NodeView&, std::string_view path) const;

  const MediaFlowParts& parts_;
};

}  // namespace tribune::cache_node
