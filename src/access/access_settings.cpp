#include "access/access_settings.h"

#include <set>

namespace tribune::access {
namespace {

using namespace std::chrono_literals;

constexpr config::Between<std::int64_t> kAnyLimit{kNoLimit, 1'000'000'000};

config::Section<NamedLimitSettings> limit_section(std::string name, std::string doc, std::string sample_id) {
  auto section = config::Section<NamedLimitSettings>(std::move(name), std::move(doc));
  section
      .text("id", &NamedLimitSettings::id, "The id of the channel, group or node.", config::check_id,
            "1 to 64 of a-z 0-9 . _ -")
      .required()
      .sample("\"" + sample_id + "\"")
      .whole("max_sessions", &NamedLimitSettings::max_sessions, kAnyLimit,
             "Maximum number of concurrent sessions; -1: no limit.")
      .whole("max_traffic_mbps", &NamedLimitSettings::max_traffic_mbps, kAnyLimit,
             "Maximum traffic to viewers in megabits per second; -1: no limit.");
  return section;
}

const config::Section<NamedLimitSettings>& channel_section() {
  static const auto section =
      limit_section("channels", "The limits of a channel.", "main")
          .text("opens_at", &NamedLimitSettings::opens_at,
                "Time from which viewers are admitted (RFC 3339). Viewers that arrive earlier wait; at this time their "
                "order is drawn by lot, once. A correction of the machine's clock counts when it has lasted for ten "
                "seconds. Empty: the channel is open.");
  return section;
}

const config::Section<NamedLimitSettings>& group_section() {
  static const auto section = limit_section("groups", "The limits of a group of cache nodes.", "stadium");
  return section;
}

const config::Section<NamedLimitSettings>& node_section() {
  static const auto section = limit_section("nodes", "The limits of a cache node.", "stadium-1");
  return section;
}

const config::Section<LaneSettings>& lane_section() {
  static const auto section =
      config::Section<LaneSettings>("lanes", "A priority lane.")
          .text("name", &LaneSettings::name, "The name of the lane.", config::check_id, "1 to 64 of a-z 0-9 . _ -")
          .required()
          .sample("\"general\"")
          .whole("share", &LaneSettings::share, {1, 1'000},
                 "Weight of the lane: the share of the capacity that becomes free while other lanes have waiting "
                 "tickets too, relative to their shares.");
  return section;
}

std::string check_once(const AccessSettings& settings) {
  for (const auto* list : {&settings.channels, &settings.groups, &settings.nodes}) {
    std::set<std::string_view> seen;
    for (const auto& entry : *list)
      if (!seen.insert(entry.id).second) return "id \"" + entry.id + "\" is used twice in one list";
  }
  std::set<std::string_view> names;
  for (const auto& lane : settings.lanes)
    if (!names.insert(lane.name).second) return "lane \"" + lane.name + "\" is used twice";
  return settings.lanes.size() > 16 ? "lanes must have at most 16 entries" : "";
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
             "Maximum number of concurrent sessions of one client address (IPv6: one /64), so that one client cannot "
             "use all sessions; one more is answered with 429. The default admits the households behind a carrier's "
             "NAT and a stadium behind one address. For a small event lower it to a part of max_sessions, and list "
             "larger crowds in balancer.shared_networks; -1: no limit.")
      .whole("max_networks_per_session", &AccessSettings::max_networks_per_session, {1, 1'000},
             "Maximum number of client networks (IPv4: /24, IPv6: /48) from which a session may be requested within "
             "handover. One device uses up to four: Wi-Fi and mobile, each over IPv4 and IPv6. A larger number "
             "indicates that several devices share one token.")
      .choice<SharingRule>("sharing_rule", &AccessSettings::sharing_rule,
                           {{"log", SharingRule::log}, {"refuse", SharingRule::refuse}, {"end", SharingRule::end}},
                           "Action above max_networks_per_session. log: a log line and a counter; refuse: in addition, "
                           "the newest network is refused (403) while the others are in use; end: the session ends.")
      .choice<SharingRule>("paid_sharing_rule", &AccessSettings::paid_sharing_rule,
                           {{"log", SharingRule::log}, {"refuse", SharingRule::refuse}, {"end", SharingRule::end}},
                           "Action when two players in different client networks watch one session of a paid channel "
                           "for longer than handover. log: a log line and a counter; refuse: in addition, the network "
                           "that came later is refused (403) until the other one was silent for handover; end: the "
                           "session ends.")
      .duration("handover", &AccessSettings::handover, {5s, 1h},
                "Time for which a client network counts after its last request. Set it to the time that a device takes "
                "to change from one network to another.");
}

void add_queue_fields(config::Section<AccessSettings>& section) {
  section
      .sections("lanes", &AccessSettings::lanes, lane_section(),
                "The priority lanes of each channel's queue; the first lane is the default for all viewers. Empty: one "
                "lane, \"general\". Read at the start; a reload does not change it.")
      .whole("max_queue", &AccessSettings::max_queue, {0, 10'000'000},
             "Maximum number of tickets that wait for one channel, about 150 bytes each. At the limit, new viewers are "
             "refused because the queue is full.")
      .whole("max_tickets_per_address", &AccessSettings::max_tickets_per_address, {1, 10'000'000},
             "Maximum number of waiting tickets of one client address (IPv6: one /64). Raise it where the phones in a "
             "stadium share one address.")
      .duration("refresh", &AccessSettings::refresh, {500ms, 10min},
                "Polling interval that is sent to the holder of a waiting ticket; it is spread by up to a fifth.")
      .whole("lease_intervals", &AccessSettings::lease_intervals, {1, 100},
             "A ticket whose holder has not polled for this many refresh intervals when its turn comes loses its "
             "position.")
      .duration("reservation", &AccessSettings::reservation, {1s, 10min},
                "Time for which capacity is reserved for a ticket whose turn has come.")
      .duration("restart_grace", &AccessSettings::restart_grace, {0ms, 10min},
                "Time after a restart within which viewers with a session must send a request, before their capacity "
                "is given to others. Where limits are set, no new viewer is admitted during this time. Set it to at "
                "least the time in which each viewer sends one playlist request.")
      .duration("token_lifetime", &AccessSettings::token_lifetime, {1h, 30 * 24h},
                "Time after its issue for which a session token, or a ticket whose turn is over, opens its session "
                "again. A token that is in use does not expire, and stays valid for half of this time after its last "
                "use. A balancer that cannot know of the use, because it is a different one or has lost its state_dir, "
                "counts from the issue. Stopped sessions are remembered for this time.")
      .duration("traffic_settles", &AccessSettings::traffic_settles, {1s, 10min},
                "Age up to which a session counts with the channel's bandwidth instead of the traffic that the nodes "
                "measure.");
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
    auto s = config::Section<AccessSettings>(
        "access",
        "Limits on viewers, and the queue of those that wait. Limits that were changed at run time take precedence "
        "over the limits in this section until they are reset.");
    s.whole("max_sessions", &AccessSettings::max_sessions, kAnyLimit,
            "Maximum number of concurrent sessions of all channels; -1: no limit; 0: no viewer is admitted.")
        .whole("max_traffic_mbps", &AccessSettings::max_traffic_mbps, kAnyLimit,
               "Maximum traffic from all cache nodes to viewers in megabits per second, as measured and, for young "
               "sessions, predicted; -1: no limit.")
        .whole("max_sessions_per_account", &AccessSettings::max_sessions_per_account, kAnyLimit,
               "Maximum number of devices of one account that watch at the same time; -1: no limit.")
        .choice<AccountRule>("account_rule", &AccessSettings::account_rule,
                             {{"refuse", AccountRule::refuse}, {"take_over", AccountRule::take_over}},
                             "Action when a device would exceed max_sessions_per_account. refuse: the device is "
                             "refused; take_over: the session that the account opened first ends.")
        .sections("channels", &AccessSettings::channels, channel_section(),
                  "Limits of individual channels, and the times at which they open.")
        .sections("groups", &AccessSettings::groups, group_section(), "Limits of groups of cache nodes.")
        .sections("nodes", &AccessSettings::nodes, node_section(), "Limits of individual cache nodes.");
    add_client_fields(s);
    add_queue_fields(s);
    s.check(check_once);
    return s;
  }();
  return section;
}

}  // namespace tribune::access
