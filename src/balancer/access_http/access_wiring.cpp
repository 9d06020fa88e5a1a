#include "balancer/access_http/access_wiring.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "access/access_settings.h"
#include "base/rfc3339.h"

namespace tribune::balancer {

std::vector<access::Admission::ChannelFacts> channel_facts(const contracts::Event& event,
                                                           const access::AccessSettings& settings) {
  std::vector<access::Admission::ChannelFacts> facts;
  for (const auto& channel : event.channels) {
    auto& fact = facts.emplace_back(
        access::Admission::ChannelFacts{channel.id, static_cast<double>(channel.bandwidth_bps) / 1e6});
    for (const auto& limit : settings.channels)
      if (limit.id == channel.id && !limit.opens_at.empty()) fact.opens_at = base::parse_rfc3339(limit.opens_at);
  }
  return facts;
}

void report_traffic(access::Admission& admission, const NodeTable& table) {
  for (const auto& node : table.nodes) {
    if (node.condition != NodeCondition::up) continue;
    access::Traffic traffic{node.limit_group(), node.address->id, node.last.sent_mbps};
    // A list of kMaxHeartbeatChannels channels may be incomplete: the viewers of channels that it lacks are counted by
    // the prediction, as are all viewers of a node that reports no channels.
    traffic.reports_channels =
        node.last.channel_mbps && node.last.channel_mbps->size() < contracts::kMaxHeartbeatChannels;
    if (node.last.channel_mbps) traffic.channel_mbps = *node.last.channel_mbps;
    admission.measured(traffic);
  }
}

double largest_mbps(std::string_view text) {
  constexpr std::string_view kAttribute = "BANDWIDTH=";
  std::int64_t largest = 0;
  for (auto at = text.find(kAttribute); at != std::string_view::npos; at = text.find(kAttribute, at + 1)) {
    if (at == 0 || (text[at - 1] != ',' && text[at - 1] != ':' && text[at - 1] != ' ')) continue;  // AVERAGE-BANDWIDTH
    const auto digits = text.substr(at + kAttribute.size(), 15);
    std::int64_t bandwidth = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), bandwidth);
    largest = std::max(largest, bandwidth);
  }
  return static_cast<double>(largest) / 1e6;
}

OnPlaylist with_prediction(access::Admission& admission, const PlaylistLookup& question, OnPlaylist on_answer) {
  if (question.path != "index.m3u8") return on_answer;
  return [&admission, channel = std::string(question.channel),
          on_answer = std::move(on_answer)](base::Result<PlaylistAnswer> found) {
    if (found && found->snapshot->is_multivariant()) {
      const auto mbps = largest_mbps(*found->snapshot->render({})->body);
      if (mbps > 0) admission.predict(channel, mbps);
    }
    on_answer(std::move(found));
  };
}

std::string check_access(const config::Settings& settings) {
  if (!settings.has("event") || !settings.has("balancer")) return "";
  const auto& event = settings.get<contracts::Event>("event");
  for (const auto& channel : settings.get<access::AccessSettings>("access").channels) {
    if (!event.find(channel.id)) return "channels: the section \"event\" has no channel \"" + channel.id + "\"";
    if (!channel.opens_at.empty() && !base::parse_rfc3339(channel.opens_at))
      return "channels: opens_at of \"" + channel.id + "\" must be a time such as 2026-06-01T20:00:00Z";
  }
  return "";
}

}  // namespace tribune::balancer
