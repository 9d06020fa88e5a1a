// Requests with a ticket. The URL names the ticket as long as the viewer watches: its media playlists show the slate
// until the ticket is called, and from then on the programme, whose numbers continue those of the slate.
//
//   enqueue()               there is no capacity: issues a ticket, which the URLs of the media playlists name
//   admit_ticket()          the ticket waits: sends the slate (show_slate)
//   continue_after_slate()  the ticket was called: fixes and saves the transition; sends the slate until it is on disk
//   continue_after_slate()  the transition is on disk: returns the programme, renumbered

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
  return decide(parts_.admission, parts_.router, viewer.visitor(), routing_request(viewer), ticket,
                viewer.view->session_idle);
}

bool PlaylistRequestFlow::enqueue(Viewer& viewer, const access::Queued& queued) {
  const auto now = parts_.clock.wall_now();
  viewer.ticket = ticket_for(viewer.channel->id, queued.ticket, viewer.token.links, now, {});
  viewer.token.session = queued.ticket.session;
  viewer.is_new = true;
  viewer.exchange->note.session = contracts::session_name(queued.ticket.session);
  const bool has_slate =
      viewer.channel->waiting_room == contracts::WaitingRoom::slate && parts_.slates.find(viewer.channel->id);
  if (!has_slate) {
    // WHY: a bare player cannot use a ticket without a slate, so its position would only lengthen the queue.
    release_new_session(viewer);
    refuse(viewer, http::problems::access_queued,
           fmt::format("{} viewers are waiting; request a ticket with POST /api/v1/access", queued.ahead),
           FlowResult::queued);
    return false;
  }
  viewer.token_text = contracts::write_ticket(*viewer.view->keys, *viewer.ticket, now);
  if (!viewer.token_text.empty()) return true;
  release_new_session(viewer);
  refuse(viewer, http::problems::internal, "every signing key has expired", FlowResult::no_key);
  return false;
}

bool PlaylistRequestFlow::refuse_admission(Viewer& viewer, const access::Refused& refused) {
  refuse(viewer, problem_for(refused), FlowResult::refused);
  return false;
}

void PlaylistRequestFlow::release_new_session(Viewer& viewer) {
  if (!viewer.is_new) return;
  if (viewer.ticket)
    parts_.admission.take_back(viewer.channel->id, claim_of(*viewer.ticket));
  else
    parts_.admission.take_back(viewer.token.session);
  release_session(viewer.token.session);
}

bool PlaylistRequestFlow::authenticate_ticket(Viewer& viewer, std::string_view text) {
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
  return check_entitlement(viewer);
}

/// Returns whether the programme may be looked up; otherwise the response was sent.
bool PlaylistRequestFlow::admit_ticket(Viewer& viewer) {
  const auto known = parts_.transitions.find(viewer.token.session);
  if (known) {
    viewer.transition = known->record.transition;
    if (!viewer.channel->checks_segments()) viewer.token.links = known->record.links;
    if (known->is_in_force) return renew(viewer, viewer.view->session_idle);
    show_slate(viewer, viewer.transition->slot);
    return false;
  }
  const auto claim = claim_of(*viewer.ticket);
  const auto decision = decide_on(viewer, &claim);
  if (const auto* refused = std::get_if<access::Refused>(&decision)) return refuse_admission(viewer, *refused);
  if (std::holds_alternative<access::Queued>(decision)) {
    show_slate(viewer, std::nullopt);
    return false;
  }
  viewer.is_counted = true;
  return true;
}

/// Lists the slate up to the slot before `end`; without `end` up to the current slot.
void PlaylistRequestFlow::show_slate(Viewer& viewer, std::optional<std::int64_t> end) {
  const auto* slate = parts_.slates.find(viewer.channel->id);
  if (!slate)
    return refuse(viewer, http::problems::access_queued, "this channel no longer has a waiting room",
                  FlowResult::queued);
  const auto* rendition = slate->rendition(viewer.path);
  if (!rendition)
    return refuse(viewer, http::problems::not_found, "the waiting room does not have this playlist",
                  FlowResult::queued);
  viewer.exchange->note.cache = "slate";
  const auto text = parts_.slates.waiting_playlist(*slate, *rendition, end ? *end : parts_.slates.slot(*slate) + 1);
  reply(viewer, playlist_reply(viewer.request().headers, *text), FlowResult::waiting);
}

/// The programme with the numbers that follow the slate. Null when the response was sent instead.
std::shared_ptr<const Rendered> PlaylistRequestFlow::continue_after_slate(Viewer& viewer, const Rendered& programme) {
  const auto* slate = parts_.slates.find(viewer.channel->id);
  if (!viewer.transition) {
    if (!slate) {
      refuse(viewer, http::problems::session_ended, "this channel no longer has a waiting room",
             FlowResult::session_ended);
      return nullptr;
    }
    const auto transition =
        transition_at(*slate, parts_.slates.slot(*slate), *programme.body, viewer.channel->playlist_limits);
    if (!transition) {
      refuse(viewer, http::problems::origin_unavailable, transition.error().text, FlowResult::source_failed);
      return nullptr;
    }
    const auto begun = parts_.transitions.begin(viewer.token.session, {*transition, viewer.token.links});
    viewer.transition = begun.record.transition;
    if (!begun.is_in_force) {
      show_slate(viewer, viewer.transition->slot);
      return nullptr;
    }
  }
  const auto* rendition = slate ? slate->rendition(viewer.path) : nullptr;
  const auto text = parts_.slates.playlist_after_transition(slate, rendition, *viewer.transition, programme,
                                                            viewer.channel->playlist_limits);
  if (text) return *text;
  refuse(viewer, http::problems::origin_unavailable, text.error().text, FlowResult::source_failed);
  return nullptr;
}

}  // namespace tribune::balancer
