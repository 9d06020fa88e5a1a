#include "balancer/sessions/admission_with_routing.h"

#include <variant>

namespace tribune::balancer {
namespace {

void set_nodes(access::Visitor& visitor, const Placing& placing) {
  if (placing.choice.node) {
    const auto node = node_ref(*placing.choice.node);
    visitor.group = node.group;
    visitor.node = node.node;
  }
  visitor.others = placing.others.nodes;
}

}  // namespace

access::Decision decide(access::Admission& admission, SessionRouter& router, access::Visitor visitor,
                        RoutingRequest asked, const access::TicketClaim* ticket, std::chrono::milliseconds idle) {
  asked.session = ticket ? ticket->session : 0;
  const auto placing = router.placing(asked);
  set_nodes(visitor, placing);
  auto decision = admission.decide(visitor, ticket, idle);
  if (const auto* granted = std::get_if<access::Granted>(&decision)) {
    asked.session = granted->session;
    router.placed(asked, placing, granted->node);
  } else if (const auto* queued = std::get_if<access::Queued>(&decision); queued && queued->is_new) {
    asked.session = queued->ticket.session;
    router.placed(asked, placing, "");
  }
  return decision;
}

access::Admission::Renewal renew_placed(access::Admission& admission, SessionRouter& router, access::Visitor visitor,
                                        const RoutingRequest& asked, std::chrono::milliseconds idle) {
  const auto placing = router.placing(asked);
  set_nodes(visitor, placing);
  return admission.renew(asked.session, visitor, idle);
}

}  // namespace tribune::balancer
