#pragma once
// The steps of a request for a media object (media_request_flow.cpp).

#include <memory>
#include <vector>

#include "cache_node/request/fill_starter.h"
#include "cache_node/request/media_flow_parts.h"
#include "cache_node/request/media_request_reader.h"
#include "cache_node/request/object_responder.h"
#include "runtime/role.h"

namespace tribune::cache_node {

/// Any thread; a request in progress belongs to the worker that took it.
class MediaRequestFlow {
 public:
  MediaRequestFlow(MediaFlowParts, const std::vector<std::unique_ptr<runtime::Worker>>&);
  MediaRequestFlow(const MediaRequestFlow&) = delete;
  MediaRequestFlow& operator=(const MediaRequestFlow&) = delete;

  /// GET and HEAD /media/{channel}/{epoch}/{path...}
  void serve(runtime::Worker&, MediaExchange, const http::PathParameters&);

  FillStarter& fills() { return fills_; }

 private:
  void look_up(runtime::Worker&, MediaExchange, MediaRequest);
  bool refuse_unknown_channel(net::Exchange&, const MediaRequest&);
  bool refuse_last_attempt(net::Exchange&, const MediaRequest&);
  bool refuse_without_memory(net::Exchange&, const MediaRequest&, const ObjectKey&);
  void serve_failure(runtime::Worker&, MediaExchange, const MediaRequest&, const SlicedFilePtr&, const FillFailure&);

  const MediaFlowParts parts_;
  const MediaRequestReader reader_;
  FillStarter fills_;
  ObjectResponder responder_;  // destroyed before the fills that its deliveries read
};

}  // namespace tribune::cache_node
