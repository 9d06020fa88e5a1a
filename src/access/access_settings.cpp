#include "access/access_settings.h"

#include <set>

namespace tribune::access {
namespace {

using namespace std::chrono_literals;

constexpr config::Between<std::int64_t> kAnyLimit{kNoLimit, 1'000'000'000};

config::Section<NamedLimitSettings> limit_section(std::string name, std::string doc, std::string sample_id) {
  auto section = config::Section<NamedLimitSettings>(std::move(name), std::move(doc));
  section.text("id", &NamedLimitSettings::id, "Its id.", config::check_id, "1 to 64 of a-z 0-9 . _ -")
      .required()
      .sample("\"" + sample_id + "\"")
      .whole("max_sessions", &NamedLimitSettings::max_sessions, kAnyLimit, "Sessions at once; -1 is no limit.")
      .whole("max_traffic_mbps", &NamedLimitSettings::max_traffic_mbps, kAnyLimit,
             "Megabits a second to viewers; -1 is no limit.");
  return section;
}

const config::Section<NamedLimitSettings>& channel_section() {
  static const auto section = limit_section("channels", "A channel's limits.", "main")
                                  .text("opens_at", &NamedLimitSettings::opens_at,
                                        "When viewers are let in (RFC 3339). Who comes before waits; at this time "
                                        "their order is drawn by lot, once. "
                                        "Empty: open.");
  return section;
}

const config::Section<NamedLimitSettings>& group_section() {
  static const auto section = limit_section("groups", "The limits of a group of cache nodes.", "stadium");
  return section;
}

const config::Section<NamedLimitSettings>& node_section() {
  static const auto section = limit_section("nodes", "A cache node's limits.", "stadium-1");
  return section;
}

const config::Section<LaneSettings>& lane_section() {
  static const auto section =
      config::Section<LaneSettings>("lanes", "A priority lane.")
          .text("name", &LaneSettings::name, "Its name.", config::check_id, "1 to 64 of a-z 0-9 . _ -")
          .required()
          .sample("\"general\"")
          .whole("share", &LaneSettings::share, {1, 1'000},
                 "Its share of the places that become free while other lanes wait too, against theirs.");
  return section;
}

std::string check_once(const AccessSettings& settings) {
  for (const auto* list : {&settings.channels, &settings.groups, &settings.nodes}) {
    std::set<std::string_view> seen;
    for (const auto& entry : *list)
      if (!seen.insert(entry.id).second) return "id \"" + entry.id + "\" stands twice in one list";
  }
  std::set<std::string_view> names;
  for (const auto& lane : settings.lanes)
    if (!names.insert(lane.name).second) return "lane \"" + lane.name + "\" stands twice";
  return settings.lanes.size() > 16 ? "at most 16 lanes" : "";
}

std::optional<std::int64_t> limit_of(std::int64_t value) {
  return value == kNoLimit ? std::nullopt : std::optional(value);
}

std::optional<double> rate_of(std::int64_t value) {
  return value == kNoLimit ? std::nullopt : std::optional(static_cast<double>(value));
}

NamedLimits limits_of(const std::vector<NamedLimitSettings>& list) {
  NamedLimits limits;
  for (const auto& entry : list) limits[entry.id] = {limit_of(entry.max_sessions), rate_of(entry.max_traffic_mbps)};
  return limits;
}

void add_client_fields(config::Section<AccessSettings>& section) {
  section
      .whole("max_sessions_per_address", &AccessSettings::max_sessions_per_address, kAnyLimit,
             "Sessions at once of one client address (IPv6: one /64), so that one client cannot take every place; one "
             "more is answered 429. The default lets "
             "the households behind a carrier's NAT and a stadium behind one address watch. Lower it to a part of "
             "max_sessions for a small event, name larger "
             "crowds in balancer.shared_networks; -1 is no limit.")
      .whole("max_networks_per_session", &AccessSettings::max_networks_per_session, {1, 1'000},
             "From so many client networks (IPv4: /24, IPv6: /48) a session may be asked for within handover. One "
             "device has up to four: Wi-Fi and mobile, each "
             "over IPv4 and IPv6. More of them use one token together.")
      .choice<SharingRule>("sharing_rule", &AccessSettings::sharing_rule,
                           {{"log", SharingRule::log}, {"refuse", SharingRule::refuse}, {"end", SharingRule::end}},
                           "What is done beyond that: a line in the log and a counter; besides, the newest network is "
                           "refused (403) while the others are in use; "
                           "or the session ends.")
      .duration("handover", &AccessSettings::handover, {5s, 1h},
                "For so long a client network counts after its last request: as long as a device takes to change from "
                "one to another.");
}

void add_queue_fields(config::Section<AccessSettings>& section) {
  section
      .sections("lanes", &AccessSettings::lanes, lane_section(),
                "The lanes of each channel's queue; the first is everybody's. None: one lane, \"general\". Read at the "
                "start; a reload does not change it.")
      .whole("max_queue", &AccessSettings::max_queue, {0, 10'000'000},
             "Tickets that may wait for one channel, some 150 bytes each; beyond it newcomers hear that the queue is "
             "full.")
      .whole("max_tickets_per_address", &AccessSettings::max_tickets_per_address, {1, 10'000'000},
             "Tickets that may wait for one client address (IPv6: one /64). Raise it where a stadium's phones share "
             "one address.")
      .duration("refresh", &AccessSettings::refresh, {500ms, 10min},
                "How long who waits is told to wait before asking again; spread by up to a fifth.")
      .whole("lease_intervals", &AccessSettings::lease_intervals, {1, 100},
             "Who was not heard for so many refreshes when the turn comes has lost the place.")
      .duration("reservation", &AccessSettings::reservation, {1s, 10min},
                "How long room is kept for a ticket whose turn has come.")
      .duration("restart_grace", &AccessSettings::restart_grace, {0ms, 10min},
                "After a restart viewers who watched have so long to ask again before their places are given on, and "
                "with limits nobody new is let in before. "
                "Cover a playlist request of each.")
      .duration("token_lifetime", &AccessSettings::token_lifetime, {1h, 30 * 24h},
                "How long after it was given out a session token, or a ticket whose turn is over, opens its session "
                "again. One that is in use never ends, and "
                "is good for half as long after it was used the last time. A balancer that cannot know of the use, for "
                "it is another one or has lost its "
                "state_dir, counts from when it was given out. Stopped sessions are remembered for so long.")
      .duration("traffic_settles", &AccessSettings::traffic_settles, {1s, 10min},
                "A session so young counts with the channel's bandwidth instead of what the nodes measure.");
}

}  // namespace

AccessLimits AccessSettings::limits() const {
  AccessLimits limits;
  limits.global = {limit_of(max_sessions), rate_of(max_traffic_mbps)};
  limits.channels = limits_of(channels);
  limits.groups = limits_of(groups);
  limits.nodes = limits_of(nodes);
  limits.max_sessions_per_account = limit_of(max_sessions_per_account);
  limits.account_rule = account_rule;
  return limits;
}

const config::Section<AccessSettings>& access_section() {
  static const auto section = [] {
    auto s = config::Section<AccessSettings>("access",
                                             "How many may watch, and how the others wait. Limits that were changed "
                                             "while running win over those here, until they are reset.");
    s.whole("max_sessions", &AccessSettings::max_sessions, kAnyLimit,
            "Sessions of all channels at once; -1 is no limit, 0 lets nobody in.")
        .whole("max_traffic_mbps", &AccessSettings::max_traffic_mbps, kAnyLimit,
               "Megabits a second from all cache nodes to viewers, as measured and, for young sessions, predicted; -1 "
               "is no limit.")
        .whole("max_sessions_per_account", &AccessSettings::max_sessions_per_account, kAnyLimit,
               "Devices of one account that may watch at once; -1 is no limit.")
        .choice<AccountRule>(
            "account_rule", &AccessSettings::account_rule,
            {{"refuse", AccountRule::refuse}, {"take_over", AccountRule::take_over}},
            "One device more than allowed is refused, or ends the session that the account opened first.")
        .sections("channels", &AccessSettings::channels, channel_section(),
                  "Limits of single channels, and when they open.")
        .sections("groups", &AccessSettings::groups, group_section(), "Limits of groups of cache nodes.")
        .sections("nodes", &AccessSettings::nodes, node_section(), "Limits of single cache nodes.");
    add_client_fields(s);
    add_queue_fields(s);
    s.check(check_once);
    return s;
  }();
  return section;
}

}  // namespace tribune::access
