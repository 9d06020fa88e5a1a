#pragma once
// The facts of the configuration and of the nodes that admission needs.

#include <string>
#include <string_view>
#include <vector>

#include "access/admission.h"
#include "balancer/nodes/node_table.h"
#include "balancer/sources/sources.h"
#include "config/settings.h"
#include "contracts/event.h"

namespace tribune::balancer {

/// The event's channels, with the predicted bandwidth of a viewer and the opening times of section "access".
std::vector<access::Admission::ChannelFacts> channel_facts(const contracts::Event&, const access::AccessSettings&);

/// Reports the traffic of each node that is up. Call it once a second on one worker.
void report_traffic(access::Admission&, const NodeTable&);

/// `on_answer`, preceded by a prediction from a multivariant playlist: a viewer is predicted to use its largest
/// BANDWIDTH. The admission outlives the lookup.
OnPlaylist with_prediction(access::Admission&, const PlaylistLookup&, OnPlaylist on_answer);

/// The largest BANDWIDTH in a multivariant playlist's text (RFC 8216 section 4.3.4.2), in Mbit/s; 0 when it has none.
double largest_mbps(std::string_view multivariant);

/// The problem of section "access" with section "event": a malformed opening time, or an unknown channel. Empty: none.
std::string check_access(const config::Settings&);

}  // namespace tribune::balancer
