// The steps of a request for a media object, in the order in which they happen. How an object answers is in
// request/object_responder.h, how a fill begins in request/fill_starter.h.
#include "cache_node/media_request_flow.h"

#include "http/problem.h"

namespace tribune::cache_node {

namespace {
constexpr int kMaxLookUps = 3;  // an object that disappears during its look-up is looked up again
}

void MediaRequestFlow::serve(runtime::Worker& worker, MediaExchange exchange, const http::PathParameters& parameters) {
  // Verify the link, and the mark of another node: 403.
  if (auto media = reader_.read(*exchange, parameters)) look_up(worker, std::move(exchange), std::move(*media));
}

void MediaRequestFlow::look_up(runtime::Worker& worker, MediaExchange exchange, MediaRequest media) {
  // The channel: 404 when the channel map does not have it.
  if (refuse_unknown_channel(*exchange, media) || refuse_last_attempt(*exchange, media)) return;

  // A file in slices answers from its slices, each with a look-up of its own, unless it must be revalidated.
  const auto key = fills_.key_of(media);
  const auto file = parts_.index.sliced().find(key.id);
  if (file && responder_.serve_sliced(worker, exchange, media, file, media.revalidation.has_value())) return;

  // The one entry of the key; when there is none, or it is not fresh, a fill begins: nodes, parents, origin.
  if (refuse_without_memory(*exchange, media, key)) return;
  const auto found = fills_.find_or_fill(worker, media, key);

  // The entry answers: a remembered failure, a stored object, or a fill.
  if (const auto* failure = std::get_if<FillFailure>(&found))
    return serve_failure(worker, std::move(exchange), media, file, *failure);
  if (std::holds_alternative<ObjectPtr>(found))
    return responder_.serve_stored(worker, std::move(exchange), std::move(media), found);
  responder_.serve_fill(worker, std::move(exchange), std::move(media), found);
}

bool MediaRequestFlow::refuse_unknown_channel(net::Exchange& exchange, const MediaRequest& media) {
  const auto map = parts_.channels.map();
  if (map && map->find(media.link.channel)) return false;
  refuse(exchange, parts_.metrics_of(media).refused, http::problems::channel_unknown,
         "the channel is not in the channel map of this node", "channel_unknown");
  return true;
}

bool MediaRequestFlow::refuse_last_attempt(net::Exchange& exchange, const MediaRequest& media) {
  if (media.attempt <= kMaxLookUps) return false;
  refuse_overloaded(exchange, parts_.metrics_of(media), "the object was removed during the lookup", "overloaded");
  return true;
}

bool MediaRequestFlow::refuse_without_memory(net::Exchange& exchange, const MediaRequest& media, const ObjectKey& key) {
  if (!fills_.lacks_memory(key)) return false;
  refuse_overloaded(exchange, parts_.metrics_of(media), "this node has too little memory for another object",
                    "memory_scarce");
  return true;
}

/// A file in slices may be served although the request about it failed.
void MediaRequestFlow::serve_failure(runtime::Worker& worker, MediaExchange exchange, const MediaRequest& media,
                                     const SlicedFilePtr& file, const FillFailure& failure) {
  if (file && responder_.serve_sliced(worker, exchange, media, file, true)) return;
  reply_with_failure(*exchange, parts_.metrics_of(media), failure, media.is_from_node());
}

MediaRequestFlow::MediaRequestFlow(MediaFlowParts parts, const std::vector<std::unique_ptr<runtime::Worker>>& workers)
    : parts_(std::move(parts)),
      reader_(parts_),
      fills_(parts_, reader_, workers),
      responder_(parts_, fills_, workers, [this](runtime::Worker& worker, MediaExchange exchange, MediaRequest media) {
        ++media.attempt;
        look_up(worker, std::move(exchange), std::move(media));
      }) {}

}  // namespace tribune::cache_node
