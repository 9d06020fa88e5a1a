// The part of the journey that a viewer takes who must wait: the URL names the ticket, to the end. Its media playlists
// show the waiting room until the ticket is called, and from then on the programme under numbers that go on.
//
//   opens, and all is full   → a ticket; the multivariant playlist names its children under it       queue()
//   asks, and waits          → the slate                                                              enter(),
//   show_slate() asks, and is called      → a turn is fixed and written down; the slate stays until it is on disk
//   turned() asks, and turned before  → the programme, renumbered                                              turned()

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "balancer/sessions/admission_with_routing.h"
#include "balancer/sessions/player_capabilities.h"
#include "balancer/sessions/viewer_credentials.h"
#include "balancer/viewer/playlist_request.h"
#include "balancer/viewer/playlist_response.h"
#include "http/problem.h"

namespace tribune::balancer {

access::Decision PlaylistRequestFlow::decide_on(Viewer& viewer, const access::TicketClaim* ticket) {
  return decide(parts_.admission, parts_.router, viewer.visitor(), asked_of(viewer), ticket, viewer.view->session_idle);
}

bool PlaylistRequestFlow::queue(Viewer& viewer, const access::Queued& queued) {
  const auto now = parts_.clock.wall_now();
  viewer.ticket = ticket_for(viewer.channel->id, queued.ticket, viewer.token.links, now, {});
  viewer.token.session = queued.ticket.session;
  viewer.is_new = true;
  viewer.exchange->note.session = contracts::session_name(queued.ticket.session);
  const bool has_room =
      viewer.channel->waiting_room == contracts::WaitingRoom::slate && parts_.slates.find(viewer.channel->id);
  if (!has_room) {
    // WHY: a bare player cannot show a ticket, so its place would only make the queue look longer.
    give_back(viewer);
    refuse(viewer, http::problems::access_queued,
           fmt::format("{} wait; ask POST /api/v1/access for a place", queued.ahead), FlowResult::queued);
    return false;
  }
  viewer.token_text = contracts::write_ticket(*viewer.view->keys, *viewer.ticket, now);
  if (!viewer.token_text.empty()) return true;
  give_back(viewer);
  refuse(viewer, http::problems::internal, "every signing key has ended", FlowResult::no_key);
  return false;
}

bool PlaylistRequestFlow::turn_away(Viewer& viewer, const access::Refused& refused) {
  viewer.exchange->note.reason = to_string(FlowResult::refused);
  reply(viewer, problem_for(refused), FlowResult::refused);
  return false;
}

void PlaylistRequestFlow::give_back(Viewer& viewer) {
  if (!viewer.is_new) return;
  if (viewer.ticket)
    parts_.admission.take_back(viewer.channel->id, claim_of(*viewer.ticket));
  else
    parts_.admission.take_back(viewer.token.session);
  parts_.pins.release(viewer.token.session);
  parts_.router.release(viewer.token.session);
}

bool PlaylistRequestFlow::take_ticket(Viewer& viewer, std::string_view text) {
  const auto& view = *viewer.view;
  auto ticket = read_ticket(*view.keys, parts_.admission, viewer.channel->id, text, parts_.clock.wall_now(),
                            view.event->clock_skew);
  if (!ticket) {
    refuse(viewer, http::problems::ticket_invalid, ticket.error().text, FlowResult::ticket_invalid);
    return false;
  }
  viewer.token.session = ticket->session;
  viewer.token.opened = ticket->issued;
  viewer.token.links = ticket->links;
  viewer.token.owner = ticket->owner;
  viewer.token_text = text;
  viewer.exchange->note.session = contracts::session_name(ticket->session);
  viewer.ticket = std::move(*ticket);
  return true;
}

/// Whether the programme may be asked for; else the answer was given.
bool PlaylistRequestFlow::enter(Viewer& viewer) {
  const auto known = parts_.turns.find(viewer.token.session);
  if (known) {
    viewer.turn = known->record.turn;
    viewer.token.links = known->record.links;
    if (known->is_in_force) return renew(viewer, viewer.view->session_idle);
    show_slate(viewer, viewer.turn->slot);
    return false;
  }
  const auto claim = claim_of(*viewer.ticket);
  const auto decision = decide_on(viewer, &claim);
  if (const auto* refused = std::get_if<access::Refused>(&decision)) return turn_away(viewer, *refused);
  if (std::holds_alternative<access::Queued>(decision)) {
    show_slate(viewer, std::nullopt);
    return false;
  }
  viewer.is_counted = true;
  return true;
}

/// Up to the slot before `end`; up to this moment's without one.
void PlaylistRequestFlow::show_slate(Viewer& viewer, std::optional<std::int64_t> end) {
  const auto* slate = parts_.slates.find(viewer.channel->id);
  if (!slate)
    return refuse(viewer, http::problems::access_queued, "this channel has no waiting room any more",
                  FlowResult::queued);
  const auto* rendition = slate->rendition(viewer.path);
  if (!rendition)
    return refuse(viewer, http::problems::not_found, "the waiting room has no such playlist", FlowResult::queued);
  viewer.exchange->note.cache = "slate";
  const auto text = parts_.slates.waiting(*slate, *rendition, end ? *end : parts_.slates.slot(*slate) + 1);
  reply(viewer, playlist_reply(viewer.request().headers, *text), FlowResult::waiting);
}

/// Null when the answer was given.
std::shared_ptr<const Rendered> PlaylistRequestFlow::turned(Viewer& viewer, const Rendered& programme) {
  const auto* slate = parts_.slates.find(viewer.channel->id);
  if (!viewer.turn) {
    if (!slate) {
      refuse(viewer, http::problems::session_ended, "this channel has no waiting room any more",
             FlowResult::session_ended);
      return nullptr;
    }
    const auto turn = turn_at(*slate, parts_.slates.slot(*slate), *programme.body, viewer.channel->playlist_limits);
    if (!turn) {
      refuse(viewer, http::problems::origin_unavailable, turn.error().text, FlowResult::source_failed);
      return nullptr;
    }
    const auto begun = parts_.turns.begin(viewer.token.session, {*turn, viewer.token.links});
    viewer.turn = begun.record.turn;
    if (!begun.is_in_force) {
      show_slate(viewer, viewer.turn->slot);
      return nullptr;
    }
  }
  const auto* rendition = slate ? slate->rendition(viewer.path) : nullptr;
  const auto text = parts_.slates.turned(slate, rendition, *viewer.turn, programme, viewer.channel->playlist_limits);
  if (text) return *text;
  refuse(viewer, http::problems::origin_unavailable, text.error().text, FlowResult::source_failed);
  return nullptr;
}

}  // namespace tribune::balancer
