// Simulates an evening of the balancer's routing: the real choose_node() and NodeRegistry with 1,000,000 viewers.
//
//   200 sites: each is a coverage zone with a group of five nodes of 10 Gbit/s; its fallbacks are the groups of its two
//   neighbours
//   the kick-off ramp: all viewers arrive within two minutes; six of ten watch one channel, the others 40 channels
//   the loss of a site: its nodes send no heartbeats, and return a minute later
//
//   simulate [--viewers N] [--csv FILE]     prints a table; writes one line per second to FILE as CSV
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "balancer/nodes/node_registry.h"
#include "balancer/routing/node_selection.h"
#include "base/ip_address.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

constexpr int kSites = 200, kNodesPerSite = 5, kNodes = kSites * kNodesPerSite, kChannels = 41;
constexpr int kLostSite = 17, kRamp = 120, kLoss = 180, kReturn = 240, kEnd = 330;
constexpr int kReload = 4;  // seconds between two playlist requests of a viewer
constexpr double kViewerMbps = 5, kNodeMbps = 10'000;

struct Viewer {
  base::IpAddress client;
  std::uint16_t site = 0, channel = 0;
  std::int16_t node = -1;
};

struct Second {
  int viewers = 0, at_lost_site = 0, away = 0, moved = 0, moved_others = 0, on_silent = 0;
  double peak_to_mean = 0, group_peak_to_mean = 0, highest_load = 0;
};

struct Environment {
  base::ManualClock clock;
  base::Log log;
  base::Metrics metrics;
  NodeRegistry registry{clock, log, metrics};
  RoutingView view;
  std::vector<std::string> channels;
  std::vector<Viewer> viewers;
  std::vector<NodeViewers*> counts;
  std::vector<std::string> ids;
  std::int64_t sequence = 0;
  bool is_lost = false;

  static base::LogSettings silent() {
    base::LogSettings settings;
    settings.level = base::LogLevel::off;
    return settings;
  }

  explicit Environment(int population) : log(silent()) {
    std::vector<NodeSettings> nodes;
    std::string zones = R"({"zones":[)";
    for (int site = 0; site < kSites; ++site) {
      for (int i = 0; i < kNodesPerSite; ++i)
        nodes.push_back({fmt::format("n{}-{}", site, i), fmt::format("http://n{}-{}", site, i),
                         fmt::format("site{}", site), static_cast<std::int64_t>(kNodeMbps)});
      zones += fmt::format(R"({}{{"group":"site{}","prefixes":["10.{}.0.0/16"],"fallback":["site{}","site{}"]}})",
                           site ? "," : "", site, site, (site + 1) % kSites, (site + kSites - 1) % kSites);
    }
    registry.configure(nodes, 1'800ms);
    auto parsed = Zones::parse(zones.append("]}"));
    if (!parsed) std::exit(1);
    view.zones = std::make_shared<Zones>(std::move(*parsed));
    for (int i = 0; i < kChannels; ++i) channels.push_back(fmt::format("channel{}", i));
    for (int i = 0; i < kNodes; ++i) ids.push_back(nodes[static_cast<std::size_t>(i)].id);
    beat();
    for (const auto& id : ids) counts.push_back(registry.table()->find(id)->viewers.get());
    populate(population);
  }

  /// The sites' numbers of viewers differ by a factor of three.
  void populate(int population) {
    std::mt19937 random(1);
    std::vector<double> sizes;
    for (int site = 0; site < kSites; ++site) sizes.push_back(0.5 + site % 11 / 10.0);
    std::discrete_distribution<int> site_of(sizes.begin(), sizes.end());
    for (int i = 0; i < population; ++i) {
      Viewer viewer;
      viewer.site = static_cast<std::uint16_t>(site_of(random));
      viewer.client = *base::parse_ip(fmt::format("10.{}.{}.{}", viewer.site, random() % 256, random() % 256));
      viewer.channel = static_cast<std::uint16_t>(random() % 10 < 6 ? 0 : 1 + random() % (kChannels - 1));
      viewers.push_back(viewer);
    }
  }

  void beat() {
    for (int i = 0; i < kNodes; ++i) {
      if (is_lost && i / kNodesPerSite == kLostSite) continue;
      contracts::Heartbeat h;
      h.node = ids[static_cast<std::size_t>(i)];
      h.run.assign(1, 'r');
      h.sequence = ++sequence;
      h.sent_unix_ms = 1;
      h.sent_mbps =
          counts.empty() ? 0 : static_cast<double>(counts[static_cast<std::size_t>(i)]->count.load()) * kViewerMbps;
      registry.record_heartbeat(h);
    }
  }

  /// One playlist request of a viewer; true when it changed the node.
  bool ask(Viewer& viewer, const NodeTable& table) {
    RoutingQuestion question;
    question.client = viewer.client;
    question.channel = channels[viewer.channel];
    if (viewer.node >= 0) question.current = ids[static_cast<std::size_t>(viewer.node)];
    question.now = clock.steady_now();
    const auto choice = choose_node(table, view, question);
    const auto node = static_cast<std::int16_t>(choice.node - table.nodes.data());
    if (node == viewer.node) return false;
    if (viewer.node >= 0) counts[static_cast<std::size_t>(viewer.node)]->count.fetch_sub(1);
    const bool is_move = viewer.node >= 0;
    viewer.node = node;
    counts[static_cast<std::size_t>(node)]->count.fetch_add(1);
    return is_move;
  }

  Second second(int now) {
    is_lost = now >= kLoss && now < kReturn;
    const auto total = static_cast<double>(viewers.size());
    // A logistic curve: most viewers arrive around the kick-off.
    const double share = now >= kRamp ? 1 : 1 / (1 + std::exp(-(now - kRamp * 0.6) / (kRamp * 0.08)));
    const auto here = static_cast<std::size_t>(total * share);
    Second said;
    said.viewers = static_cast<int>(here);
    for (int tenth = 0; tenth < 10; ++tenth) {
      if (tenth == 0) beat();
      clock.advance(100ms);
      registry.check();
      const auto table = registry.table();
      for (auto i = static_cast<std::size_t>((now * 10 + tenth) % (kReload * 10)); i < here; i += kReload * 10) {
        if (!ask(viewers[i], *table)) continue;
        ++said.moved;
        said.moved_others += viewers[i].site != kLostSite;
      }
    }
    weigh(said, here);
    return said;
  }

  void weigh(Second& said, std::size_t here) {
    for (std::size_t i = 0; i < here; ++i) {
      const auto& viewer = viewers[i];
      if (viewer.site != kLostSite) continue;
      ++said.at_lost_site;
      const bool is_home = viewer.node / kNodesPerSite == kLostSite;
      said.away += !is_home;
      said.on_silent += is_lost && is_home;
    }
    double sum = 0, highest = 0;
    int alive = 0;
    for (int site = 0; site < kSites; ++site) {
      if (is_lost && site == kLostSite) continue;
      double of_site = 0, top = 0;
      for (int i = 0; i < kNodesPerSite; ++i) {
        const auto count =
            static_cast<double>(counts[static_cast<std::size_t>(site * kNodesPerSite + i)]->count.load());
        of_site += count;
        top = std::max(top, count);
      }
      sum += of_site;
      alive += kNodesPerSite;
      highest = std::max(highest, top);
      if (of_site > 500) said.group_peak_to_mean = std::max(said.group_peak_to_mean, top * kNodesPerSite / of_site);
    }
    said.peak_to_mean = sum > 0 ? highest * alive / sum : 0;
    said.highest_load = highest * kViewerMbps / kNodeMbps;
  }
};

void line(std::string_view when, const Second& s) {
  fmt::print("| {:<38} | {:>9} | {:>6.2f} | {:>6.2f} | {:>5.0f} % | {:>7} | {:>7} |\n", when, s.viewers, s.peak_to_mean,
             s.group_peak_to_mean, s.highest_load * 100, s.moved, s.moved_others);
}

/// The worst values of an interval, and the number of moves in it.
Second together(const std::vector<Second>& all, int from, int to) {
  Second sum = all[static_cast<std::size_t>(to - 1)];
  sum.moved = sum.moved_others = 0;
  for (int i = from; i < to; ++i) {
    const auto& s = all[static_cast<std::size_t>(i)];
    sum.peak_to_mean = std::max(sum.peak_to_mean, s.viewers > 50'000 ? s.peak_to_mean : 0);
    sum.group_peak_to_mean = std::max(sum.group_peak_to_mean, s.group_peak_to_mean);
    sum.highest_load = std::max(sum.highest_load, s.highest_load);
    sum.moved += s.moved;
    sum.moved_others += s.moved_others;
  }
  return sum;
}

void report(const std::vector<Second>& all) {
  fmt::print(
      "| phase (worst second; moves of all)       | viewers   | peak to mean | of its group | highest load | moved | "
      "moved without need |\n|---|---|---|---|---|---|---|\n");
  line("kick-off ramp, 0 to 120 s", together(all, 0, kRamp));
  line("steady, 120 to 180 s", together(all, kRamp, kLoss));
  line("a site is lost, 180 to 240 s", together(all, kLoss, kReturn));
  line("it returns, 240 to 330 s", together(all, kReturn, kEnd));
  int left = kLoss, back = kReturn;
  while (left < kReturn && all[static_cast<std::size_t>(left)].on_silent > 0) ++left;
  while (back < kEnd &&
         all[static_cast<std::size_t>(back)].away > all[static_cast<std::size_t>(back)].at_lost_site / 100)
    ++back;
  fmt::print("\nviewers of the lost site: {}; all re-homed after {} s; 99 of 100 back {} s after its return\n",
             all[kLoss].at_lost_site, left - kLoss + 1, back - kReturn + 1);
}

void write_csv(const char* file, const std::vector<Second>& all) {
  auto* out = std::fopen(file, "w");
  if (!out) return std::perror(file);
  fmt::print(out, "second,viewers,peak_to_mean,group_peak_to_mean,highest_load,moved,moved_others,away,on_silent\n");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& s = all[i];
    fmt::print(out, "{},{},{:.4f},{:.4f},{:.4f},{},{},{},{}\n", i, s.viewers, s.peak_to_mean, s.group_peak_to_mean,
               s.highest_load, s.moved, s.moved_others, s.away, s.on_silent);
  }
  std::fclose(out);
}

}  // namespace

int main(int count, char** words) {
  int population = 1'000'000;
  const char* csv = nullptr;
  for (int i = 1; i + 1 < count; i += 2) {
    if (std::strcmp(words[i], "--viewers") == 0) population = std::atoi(words[i + 1]);
    if (std::strcmp(words[i], "--csv") == 0) csv = words[i + 1];
  }
  Environment world(population);
  std::vector<Second> all;
  for (int now = 0; now < kEnd; ++now) all.push_back(world.second(now));
  report(all);
  if (csv) write_csv(csv, all);
}
