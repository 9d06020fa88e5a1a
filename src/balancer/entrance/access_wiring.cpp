#include "balancer/entrance/access_wiring.h"

#include "access/access_settings.h"

namespace tribune::balancer {

std::vector<access::Admission::ChannelFacts> channel_facts(const contracts::Event& event, const access::AccessSettings& settings) {
  std::vector<access::Admission::ChannelFacts> facts;
  for (const auto& channel : event.channels) {
    auto& fact = facts.emplace_back(access::Admission::ChannelFacts{channel.id, static_cast<double>(channel.bandwidth_bps) / 1e6});
    for (const auto& limit : settings.channels)
      if (limit.id == channel.id && !limit.opens_at.empty()) fact.opens_at = contracts::parse_rfc3339(limit.opens_at);
  }
  return facts;
}

void tell_traffic(access::Admission& admission, const NodeTable& table) {
  for (const auto& node : table.nodes)
    if (node.condition == NodeCondition::up) admission.measured({node.last.group, node.address->id, node.last.sent_mbps});
}

std::string check_access(const config::Settings& settings) {
  if (!settings.has("event") || !settings.has("balancer")) return "";
  const auto& event = settings.get<contracts::Event>("event");
  for (const auto& channel : settings.get<access::AccessSettings>("access").channels) {
    if (!event.find(channel.id)) return "channels: the event has no channel \"" + channel.id + "\"";
    if (!channel.opens_at.empty() && !contracts::parse_rfc3339(channel.opens_at)) return "channels: opens_at of \"" + channel.id + "\" must be a time such as 2026-06-01T20:00:00Z";
  }
  return "";
}

}  // namespace tribune::balancer
