#include "balancer/event_view_builder.h"

#include <utility>

#include "balancer/slate/slate_handler.h"
#include "base/ip_address.h"
#include "contracts/channel_map.h"

namespace tribune::balancer {

std::shared_ptr<EventView> build_event_view(const contracts::Event& event, base::KeyRing keys,
                                            const BalancerSettings& settings, const OperatorRules& operators,
                                            const Slates& slates) {
  auto view = std::make_shared<EventView>();
  view->event = std::make_shared<contracts::Event>(event);
  view->keys = std::make_shared<base::KeyRing>(std::move(keys));
  view->channel_map =
      contracts::to_json(contracts::channel_map(with_slate_origin(event, slates, settings.slate_origin)));
  view->slate_origin = settings.slate_origin;
  view->operators = operators;
  if (auto networks = base::PrefixList::parse(settings.shared_networks)) view->shared_networks = std::move(*networks);
  view->direct_players = settings.direct_players;
  view->steering = settings.steering;
  view->session_idle = settings.session_idle;
  view->ended_session_idle = settings.ended_session_idle;
  view->publish_delay = settings.publish_delay;
  view->order_deadline = settings.order_deadline;
  view->receipt_lifetime = settings.routing.receipt_lifetime;
  return view;
}

}  // namespace tribune::balancer
