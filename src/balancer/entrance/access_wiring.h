#pragma once
// What access needs to know of the configuration and of the nodes.

#include <string>
#include <vector>

#include "access/admission.h"
#include "balancer/nodes.h"
#include "config/settings.h"
#include "contracts/event.h"

namespace tribune::balancer {

/// The event's channels, with the bandwidth that a viewer is predicted to take and the opening times of section "access".
std::vector<access::Admission::ChannelFacts> channel_facts(const contracts::Event&, const access::AccessSettings&);

/// Tells what each node that is up carries. Called once a second by one worker.
void tell_traffic(access::Admission&, const NodeTable&);

/// What is wrong with section "access" beside section "event": an opening time that is none, a channel that nobody has.
std::string check_access(const config::Settings&);

}  // namespace tribune::balancer
