#pragma once
// The view of the configuration that requests read, made of the sections "event" and "balancer". A pure function.

#include <memory>

#include "balancer/balancer_settings.h"
#include "balancer/settings/event_view.h"
#include "balancer/slate/slates.h"
#include "base/signing.h"
#include "contracts/event.h"

namespace tribune::balancer {

/// `keys` are those of the event. Channels that have a slate may also be filled from the settings' slate_origin.
std::shared_ptr<EventView> build_event_view(const contracts::Event&, base::KeyRing keys, const BalancerSettings&,
                                            const OperatorRules&, const Slates&);

}  // namespace tribune::balancer
