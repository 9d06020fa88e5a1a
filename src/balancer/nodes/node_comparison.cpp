#include "balancer/nodes/node_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "balancer/nodes/delivery_health.h"

namespace tribune::balancer {
namespace {

struct PlayerCount {
  std::int64_t networks = 0, starved = 0;
};

bool is_enough(const PlayerCount& count) { return count.networks >= kMinStarvedNetworks; }

/// By the other nodes of its group: the finding for a node whose players starve.
std::string starvation_of(const ComparedNode& node, const std::vector<ComparedNode>& all) {
  const PlayerCount own{node.last->player_networks, node.last->starved_networks};
  if (own.starved < kMinStarvedNetworks || contracts::share(own.starved, own.networks) < kStarvedShare) return "";
  PlayerCount others;
  for (const auto& other : all) {
    if (other.id == node.id || other.group != node.group) continue;
    if (other.is_out_for_players) return "";
    const PlayerCount count{other.last->player_networks, other.last->starved_networks};
    if (!is_enough(count)) continue;
    others.networks += count.networks;
    others.starved += count.starved;
  }
  if (!is_enough(others) || contracts::share(others.starved, others.networks) >= kOthersStarvedShare) return "";
  return fmt::format(
      "players of {} of {} client networks run out of buffer, and of {} of {} at the other nodes of its group",
      own.starved, own.networks, others.starved, others.networks);
}

double starved_share(const ComparedNode& node) {
  return contracts::share(node.last->starved_networks, node.last->player_networks);
}

/// Of several nodes of a group whose players starve, one is judged.
void keep_worst_of_each_group(const std::vector<ComparedNode>& all, std::vector<ComparisonFinding>& findings) {
  std::map<std::string_view, std::size_t> worst;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (findings[i].starving.empty()) continue;
    const auto [kept, is_first] = worst.emplace(all[i].group, i);
    if (is_first) continue;
    const bool is_worse = starved_share(all[i]) > starved_share(all[kept->second]);
    findings[is_worse ? std::exchange(kept->second, i) : i].starving.clear();
  }
}

}  // namespace

void NodeComparison::record(const contracts::Heartbeat& heartbeat, base::SteadyTime now) {
  auto& node = nodes_[heartbeat.node];
  if (node.run != heartbeat.run) node = {heartbeat.run, {}};
  auto before = std::exchange(node.channels, {});
  for (const auto& answers : heartbeat.origin_answers) {
    auto known = before.find(answers.channel);
    // The first counts of a channel are where counting begins.
    auto channel = known != before.end() ? known->second : Channel{.delivered = answers.delivered};
    if (answers.delivered > channel.delivered) channel.delivered_before_at = std::exchange(channel.delivered_at, now);
    if (answers.delivered > channel.delivered || channel.refused_in_a_row == 0) channel.row_began_at = now;
    const bool is_refused_again = answers.refused_in_a_row > 0 && (answers.delivered > channel.delivered ||
                                                                   answers.refused_in_a_row > channel.refused_in_a_row);
    channel.delivered = answers.delivered;
    channel.refused_in_a_row = answers.refused_in_a_row;
    if (is_refused_again) channel.refused_at = now;
    if (is_refused_again && is_contradicted(heartbeat.node, answers.channel, channel.row_began_at, now))
      channel.contradicted_at = now;
    node.channels.emplace(answers.channel, channel);
  }
}

/// Whether another node got the channel from the origin after this node's refusals began, and before the last ones.
bool NodeComparison::is_contradicted(std::string_view node, std::string_view channel, base::SteadyTime row_began_at,
                                     base::SteadyTime now) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& other) {
    const auto found = other.second.channels.find(channel);
    if (other.first == node || found == other.second.channels.end()) return false;
    const auto is_between = [&](base::SteadyTime at) {
      return at >= row_began_at + kReportInterval && at <= now - kReportInterval;
    };
    return is_between(found->second.delivered_at) || is_between(found->second.delivered_before_at);
  });
}

std::string NodeComparison::refusal_of(const ComparedNode& node, base::SteadyTime now) const {
  const auto known = nodes_.find(node.id);
  if (known == nodes_.end()) return "";
  for (const auto& [name, channel] : known->second.channels) {
    if (channel.refused_in_a_row < kMinRefusals || now - channel.refused_at > kRefusalsCount) continue;
    const auto refused =
        fmt::format("the origin refused the node the last {} objects of channel {}", channel.refused_in_a_row, name);
    if (channel.contradicted_at != base::SteadyTime{} && now - channel.contradicted_at <= kRefusalsCount)
      return refused + ", and delivers it to other nodes";
    // Without a contradiction the requests of viewers tell whether they suffer.
    const auto& e = node.last->experience;
    if (nodes_.size() < 2 || e.requests < kMinRequests || contracts::share(e.failures, e.requests) < kUnfitShare)
      continue;
    const auto says_anything = [&, &channel_name = name, &row = channel](const auto& other) {
      const auto found = other.second.channels.find(channel_name);
      if (other.first == node.id || found == other.second.channels.end()) return false;
      const bool is_refused =
          found->second.refused_in_a_row > 0 && found->second.refused_at + kOthersRefusalsCount >= row.row_began_at;
      return is_refused || found->second.delivered_at >= row.row_began_at;
    };
    if (std::none_of(nodes_.begin(), nodes_.end(), says_anything))
      return refused + ", and no other node has requested it";
  }
  return "";
}

std::vector<ComparisonFinding> NodeComparison::compare(const std::vector<ComparedNode>& all, base::SteadyTime now) {
  if (nodes_.size() > all.size()) {  // some are silent
    std::set<std::string_view> talking;
    for (const auto& node : all) talking.insert(node.id);
    std::erase_if(nodes_, [&](const auto& known) { return !talking.contains(known.first); });
  }
  std::vector<ComparisonFinding> findings;
  findings.reserve(all.size());
  for (const auto& node : all) findings.push_back({refusal_of(node, now), starvation_of(node, all)});
  keep_worst_of_each_group(all, findings);
  return findings;
}

}  // namespace tribune::balancer
