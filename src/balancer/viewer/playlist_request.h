#pragma once
// One viewer's request on its way through the flow. Only for request_flow*.cpp.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "balancer/sessions/viewer_credentials.h"
#include "balancer/viewer/playlist_request_flow.h"
#include "contracts/ticket.h"
#include "http/uri.h"

namespace tribune::balancer {

/// One request on its way.
struct PlaylistRequestFlow::Viewer {
  FlowKind kind;
  std::unique_ptr<net::Exchange> exchange;
  std::shared_ptr<const EventView> view;
  contracts::Token token;                       // its channel is the one that the path names
  std::string path;                             // after `~{session}/`
  const contracts::Channel* channel = nullptr;  // of the view
  std::string token_text{};                     // where the answer names it
  std::string pathway{};                        // that the playlist's URL names; empty: none
  std::shared_ptr<const NodeAddress> first{};   // of its token, while nothing is known of its pins here
  std::string preferred{};                      // the cache that the client named, now or before
  ReachabilityClaims claims{};                  // what it says of caches in this request
  std::optional<contracts::Ticket> ticket{};    // shown instead of a token
  std::optional<Turn> turn{};                   // how the ticket's playlists turned into the programme
  bool is_new = false;                          // this request opened the session, or the place in the queue
  bool is_counted = false;                      // Sessions knows it, and will say when it is released
  Asking asking{};
  std::optional<CountedClient> client{};  // read once, by counted()
  bool is_network_heard = false;          // a request speaks for its network once

  const http::Request& request() const { return exchange->request(); }
  /// Who asks, as admission counts; its address lives as long as this. The network is named to the first who asks for
  /// it.
  access::Visitor visitor() {
    if (!client) client = counted_client(request().client, view->shared_networks);
    const auto network = std::exchange(is_network_heard, true) ? 0 : client->network;
    return {.channel = channel->id,
            .account = token.owner.account,
            .device = token.owner.device,
            .client = client->address,
            .network = network,
            .opened = token.opened};
  }
  /// What says which player asks: the User-Agent, and "player" of the query, for a browser does not say which player
  /// runs in it.
  std::string player() const {
    std::string text(request().headers.first("User-Agent").value_or(""));
    return text.append(" ").append(http::query_value(request().query, "player").value_or(""));
  }
};

}  // namespace tribune::balancer
