#pragma once
// What access needs to know of the configuration and of the nodes.

#include <string>
#include <string_view>
#include <vector>

#include "access/admission.h"
#include "balancer/nodes/node_table.h"
#include "balancer/sources/sources.h"
#include "config/settings.h"
#include "contracts/event.h"

namespace tribune::balancer {

/// The event's channels, with the bandwidth that a viewer is predicted to take and the opening times of section
/// "access".
std::vector<access::Admission::ChannelFacts> channel_facts(const contracts::Event&, const access::AccessSettings&);

/// Tells what each node that is up carries. Called once a second by one worker.
void tell_traffic(access::Admission&, const NodeTable&);

/// `on_answer`, and before it what the answer says of a multivariant playlist: a viewer is predicted to take its
/// largest BANDWIDTH. The admission outlives the question.
OnPlaylist predicting(access::Admission&, const PlaylistQuestion&, OnPlaylist on_answer);

/// The largest BANDWIDTH in a multivariant playlist's text (RFC 8216 section 4.3.4.2), in Mbit/s; 0 when it has none.
double largest_mbps(std::string_view multivariant);

/// What is wrong with section "access" beside section "event": an opening time that is none, a channel that nobody has.
std::string check_access(const config::Settings&);

}  // namespace tribune::balancer
