#pragma once
// The state of one viewer's request on its way through the request flow. Only for playlist_request_*.cpp.

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

/// One request. Owned by the worker that received it.
struct PlaylistRequestFlow::Viewer {
  FlowKind kind;
  std::unique_ptr<net::Exchange> exchange;
  std::shared_ptr<const EventView> view;
  contracts::Token token;                       // its channel is the one that the path names
  std::string path;                             // after `~{session}/`
  const contracts::Channel* channel = nullptr;  // of the view
  std::string token_text{};                     // set when the response names the token or ticket
  std::string pathway{};                        // that the playlist's URL names; empty: none
  std::shared_ptr<const NodeAddress> first{};   // the node that the token names, while the session has no pins here
  std::string preferred{};                      // the node that the client named, in this request or before
  ReachabilityClaims claims{};                  // which nodes the client reaches, as this request states
  std::optional<contracts::Ticket> ticket{};    // set when the URL names a ticket instead of a token
  std::optional<SlateTransition> transition{};  // from the slate to the programme, for a ticket that was admitted
  bool is_new = false;                          // this request opened the session, or took the position in the queue
  bool is_ending = false;                       // a paid channel that its account may not watch any more
  bool is_counted = false;                      // admission counts the session and reports its release
  PendingLookup lookup{};
  std::optional<CountedClient> client{};  // computed once, by visitor()
  bool is_network_counted = false;        // a request counts for its client's network once

  const http::Request& request() const { return exchange->request(); }
  /// The viewer as admission counts it. The views live as long as this. Only the first call names the network.
  access::Visitor visitor() {
    if (!client) client = counted_client(request().client, view->shared_networks);
    const auto network = std::exchange(is_network_counted, true) ? 0 : client->network;
    return {.channel = channel->id,
            .account = token.owner.account,
            .device = token.owner.device,
            .client = client->address,
            .network = network,
            .opened = token.opened};
  }
  /// The text that identifies the player: the User-Agent, and the query's "player", because the User-Agent of a browser
  /// does not name the player that runs in it.
  std::string player() const {
    std::string text(request().headers.first("User-Agent").value_or(""));
    return text.append(" ").append(http::query_value(request().query, "player").value_or(""));
  }
};

}  // namespace tribune::balancer
