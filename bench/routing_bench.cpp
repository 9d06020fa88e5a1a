// Decisions of the balancer's routing per second on one core, with 1,000 nodes:
//   newcomers, 200 zones       each viewer's zone has a group of five nodes
//   viewers who stay           the same, for viewers that have a node
//   newcomers, one group       all nodes are in one group
//   the same, hot channel      and the first 500 in the channel's order have reached their share
#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "balancer/nodes/hash_orders.h"
#include "balancer/routing/node_selection.h"
#include "base/ip_address.h"

using namespace tribune;
using namespace tribune::balancer;

namespace {

constexpr int kNodes = 1'000, kZones = 200, kChannels = 40, kClients = 4'096;

NodeTable nodes_in(int groups) {
  NodeTable table;
  for (int i = 0; i < kNodes; ++i) {
    NodeState state;
    const auto id = fmt::format("node{}", i);
    state.address = std::make_shared<NodeAddress>(NodeAddress{id, "http://" + id});
    state.condition = NodeCondition::up;
    state.group = fmt::format("group{}", i % groups);
    state.capacity_mbps = 10'000;
    state.viewers->count = 800 + i % 97;
    table.nodes.push_back(std::move(state));
  }
  table.index();
  return table;
}

RoutingView view_of(int groups) {
  RoutingView view;
  if (groups == 1) return view;
  std::string text = R"({"zones":[)";
  for (int zone = 0; zone < kZones; ++zone)
    text += fmt::format(
        R"({}{{"group":"group{}","prefixes":["10.{}.0.0/16","2001:db8:{:x}::/48"],"fallback":["group{}"]}})",
        zone ? "," : "", zone % groups, zone, zone, (zone + 1) % groups);
  auto zones = Zones::parse(text + "]}");
  if (!zones)
    fmt::print("{}\n", zones.error().text);
  else
    view.zones = std::make_shared<Zones>(std::move(*zones));
  return view;
}

struct Asker {
  base::IpAddress client;
  std::string channel;
  std::string current;
};

std::vector<Asker> askers() {
  std::vector<Asker> made;
  made.reserve(kClients);
  for (int i = 0; i < kClients; ++i)
    made.push_back({*base::parse_ip(fmt::format("10.{}.{}.{}", i % kZones, i / 256, i % 256)),
                    fmt::format("channel{}", i % kChannels), ""});
  return made;
}

void fill_first_half(const NodeTable& table, const std::string& channel) {
  const auto order = table.groups.front().orders->of(channel);
  for (std::size_t i = 0; i < order->size() / 2; ++i) table.nodes[(*order)[i]].viewers->count = 2'000;
}

void measure(std::string_view name, const NodeTable& table, const RoutingView& view, const std::vector<Asker>& all) {
  const auto begun = std::chrono::steady_clock::now();
  std::size_t decisions = 0, without = 0;
  double seconds = 0;
  while (seconds < 2) {
    for (const auto& asker : all) {
      RoutingQuestion question;
      question.client = asker.client;
      question.channel = asker.channel;
      question.current = asker.current;
      question.now = begun;
      without += choose_node(table, view, question).node == nullptr;
    }
    decisions += all.size();
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  }
  fmt::print("{:<28} {:>12.0f} decisions a second, {:>7.2f} us each{}\n", name,
             static_cast<double>(decisions) / seconds, seconds * 1e6 / static_cast<double>(decisions),
             without ? ", some without a node" : "");
}

}  // namespace

int main() {
  const auto table = nodes_in(kZones), one_group = nodes_in(1);
  const auto view = view_of(kZones);
  auto all = askers();
  measure("newcomers, 200 zones", table, view, all);
  measure("newcomers, one group", one_group, RoutingView{}, all);
  fill_first_half(one_group, all.front().channel);
  std::vector<Asker> hot(all.size(), all.front());
  measure("the same, hot channel", one_group, RoutingView{}, hot);
  for (auto& asker : all) {
    RoutingQuestion question;
    question.client = asker.client;
    question.channel = asker.channel;
    asker.current = choose_node(table, view, question).node->address->id;
  }
  measure("viewers who stay, 200 zones", table, view, all);
}
