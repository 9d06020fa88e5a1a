#include "balancer/sessions/admission_with_routing.h"

#include <variant>

namespace tribune::balancer {
namespace {

void set_nodes(access::Visitor& visitor, const NodeProposal& proposal) {
  if (proposal.choice.node) {
    const auto node = node_ref(*proposal.choice.node);
    visitor.group = node.group;
    visitor.node = node.node;
  }
  visitor.others = proposal.others.nodes;
}

}  // namespace

access::Decision decide(access::Admission& admission, SessionRouter& router, access::Visitor visitor,
                        RoutingRequest asked, const access::TicketClaim* ticket, std::chrono::milliseconds idle) {
  asked.session = ticket ? ticket->session : 0;
  const auto proposal = router.propose(asked);
  set_nodes(visitor, proposal);
  auto decision = admission.decide(visitor, ticket, idle);
  if (const auto* granted = std::get_if<access::Granted>(&decision)) {
    asked.session = granted->session;
    router.record_admission(asked, proposal, granted->node);
  } else if (const auto* queued = std::get_if<access::Queued>(&decision); queued && queued->is_new) {
    asked.session = queued->ticket.session;
    router.record_admission(asked, proposal, "");
  }
  return decision;
}

access::Admission::Renewal renew_placed(access::Admission& admission, SessionRouter& router, access::Visitor visitor,
                                        const RoutingRequest& asked, std::chrono::milliseconds idle) {
  const auto proposal = router.propose(asked);
  set_nodes(visitor, proposal);
  return admission.renew(asked.session, visitor, idle);
}

}  // namespace tribune::balancer
