#include "balancer/balancer_settings.h"

#include <algorithm>
#include <set>

#include "access/access_settings.h"
#include "balancer/access_http/access_wiring.h"
#include "contracts/event.h"
#include "runtime/process_settings.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

std::string check_group(const std::string& group) { return group.empty() ? "" : config::check_id(group); }
std::string check_node_url(const std::string& url) { return url.empty() ? "" : config::check_http_base(url); }
std::string check_origin(const std::string& url) { return url.empty() ? "" : config::check_http_origin(url); }

const config::Section<NodeSettings>& node_section() {
  static const auto section =
      config::Section<NodeSettings>("nodes", "A cache node.")
          .text("id", &NodeSettings::id,
                "The id of the node, the same as cache_node.id in the node's own configuration.", config::check_id,
                "1 to 64 of a-z 0-9 . _ -")
          .required()
          .sample("\"stadium\"")
          .text("url", &NodeSettings::url,
                "URL at which viewers reach the node. Empty: the URL that the node reports in its heartbeats; after a "
                "start the balancer then knows the node only from its first heartbeat on.",
                check_node_url, "http(s)://host[:port][/path], or empty")
          .sample("\"http://127.0.0.1:8081\"")
          .text("group", &NodeSettings::group,
                "The group of the node. The nodes of one group replace each other and share the viewers of the group. "
                "Empty: the node belongs to no group and is used on its own.",
                check_group, "1 to 64 of a-z 0-9 . _ -, or empty")
          .whole("capacity_mbps", &NodeSettings::capacity_mbps, {0, 10'000'000},
                 "Capacity of the node to viewers in megabits per second. 0: the capacity that the node reports in its "
                 "heartbeats.");
  return section;
}

const config::Section<SourceOriginSettings>& origin_section() {
  static const auto section =
      config::Section<SourceOriginSettings>(
          "origin", "How source playlists are fetched. Read at the start; a reload does not change it.")
          .duration("connect_timeout", &SourceOriginSettings::connect_timeout, {50ms, 30s},
                    "Time for the connection to an origin.")
          .duration("first_byte_timeout", &SourceOriginSettings::first_byte_timeout, {50ms, 60s},
                    "Time from sending the request to receiving the whole response head.")
          .duration("low_speed_window", &SourceOriginSettings::low_speed_window, {100ms, 60s},
                    "The time in which low_speed_bytes must arrive.")
          .bytes("low_speed_bytes", &SourceOriginSettings::low_speed_bytes, {1, 64ull << 20},
                 "Minimum number of body bytes in a low_speed_window; a fetch that receives fewer is aborted.")
          .duration("total_timeout", &SourceOriginSettings::total_timeout, {100ms, 120s},
                    "Time for the fetch of one playlist in total.")
          .flag("allow_special_addresses", &SourceOriginSettings::allow_special_addresses,
                "Whether the host name of a configured origin may resolve to loopback, private and other special "
                "addresses (RFC 6890). Needed for an origin with a name inside your network. Without it, whoever "
                "controls the name cannot lead the balancer to services there. A source that is written with such an "
                "address, or with localhost, is always fetched.")
          .duration("first_answer", &SourceOriginSettings::first_answer, {100ms, 60s},
                    "Time that a viewer waits for a playlist that this balancer does not have yet.")
          .duration("multivariant_age", &SourceOriginSettings::multivariant_age, {1s, 1h},
                    "A multivariant playlist older than this is fetched again when it is requested.")
          .duration("media_look", &SourceOriginSettings::media_look, {0ms, 5s},
                    "Where a source has no multivariant playlist, its init section and the beginning of a segment, at "
                    "most 512 KiB, are fetched once for each start of the source, so that the multivariant playlist "
                    "that viewers get states CODECS, RESOLUTION, FRAME-RATE and the bandwidth. The first viewers wait "
                    "for at most this time, and then get the playlist without these values. 0: no segment is fetched.")
          .whole("max_waiting", &SourceOriginSettings::max_waiting, {1, 10'000'000},
                 "Maximum number of viewers that wait for a playlist at the same time; further requests are answered "
                 "with 503.");
  return section;
}

std::string check_nodes(const BalancerSettings& settings) {
  std::set<std::string_view> seen;
  for (const auto& node : settings.nodes)
    if (!seen.insert(node.id).second) return "node id \"" + node.id + "\" is used twice";
  return "";
}

/// Who could say what an account owns.
std::string check_paid_channels(const config::Settings& settings) {
  if (!settings.has("balancer") || settings.has("api")) return "";
  const auto& event = settings.get<contracts::Event>("event");
  if (!contracts::has_paid_channels(event) || !event.accounts_url.empty()) return "";
  return "accounts_url is required for channels with \"access\": \"paid\": the balancer asks there what accounts own";
}

}  // namespace

std::size_t BalancerSettings::max_saved_sessions() const {
  constexpr std::int64_t kAtLeast = 65'536;
  return static_cast<std::size_t>(std::max(kAtLeast, 2 * max_sessions));
}

SourceSettings SourceOriginSettings::as_source_settings() const {
  SourceSettings settings;
  settings.deadlines.connect = connect_timeout;
  settings.deadlines.first_byte = first_byte_timeout;
  settings.deadlines.low_speed_window = low_speed_window;
  settings.deadlines.low_speed_bytes = low_speed_bytes;
  settings.deadlines.total = total_timeout;
  settings.allow_special_addresses = allow_special_addresses;
  settings.first_answer = first_answer;
  settings.multivariant_age = multivariant_age;
  settings.media_look = media_look;
  settings.max_waiting = max_waiting;
  return settings;
}

namespace {

/// The links of players, the waiting rooms, operators and shared networks.
void add_viewer_fields(config::Section<BalancerSettings>& section) {
  section
      .texts("direct_players", &BalancerSettings::direct_players,
             "Substrings of the User-Agent (case-insensitive) of players that get direct links where links is auto. "
             "List only players that retry a listed segment at another URI when its node has failed. A browser does "
             "not state which player runs in it: a page adds the player to the URL that it opens, as in "
             "index.m3u8?player=videojs-vhs. All other players (hls.js, Shaka, AVPlayer, media3, unknown ones) get "
             "redirect links.",
             config::check_not_empty, "parts of a User-Agent")
      .text("slate_folder", &BalancerSettings::slate_folder,
            "Directory of the channels' waiting rooms, one subdirectory for each, as scripts/make-slate creates them. "
            "Empty: there are no waiting rooms. Read at the start.")
      .text("slate_origin", &BalancerSettings::slate_origin,
            "URL at which cache nodes reach this balancer, so that they serve the segments of the waiting rooms. "
            "Empty: the balancer serves these segments itself.",
            check_origin, "http(s)://host[:port], or empty")
      .texts(
          "operator_networks", &BalancerSettings::operator_networks,
          "Networks from which /access_queue_switch may be used without a token, by the client address as the front "
          "listener determines it. List a proxy in front of the balancer in front.trusted_proxies: an address that "
          "no trusted proxy reports counts only when the request shows no sign of a proxy. Requests that pages of "
          "other sites cause, and requests whose Host is a name that is not in admin.names, are refused. A browser's "
          "request that shows no cause is confirmed on a page. An address that is also in front.trusted_proxies is "
          "no operator's. Empty: the token is always required.",
          config::check_prefix, "addresses, or prefixes as 10.0.0.0/8")
      .text("operator_token", &BalancerSettings::operator_token,
            "Requests with this token as Authorization: Bearer may use /access_queue_switch from any address. Empty: "
            "no token is accepted.",
            runtime::operator_token_rule, "at least 16 visible ASCII characters")
      .texts("shared_networks", &BalancerSettings::shared_networks,
             "Client addresses that many viewers share, such as a stadium's or a carrier's, and addresses of backends "
             "that send requests for their users: access.max_sessions_per_address and max_tickets_per_address do not "
             "apply to them.",
             config::check_prefix, "addresses, or prefixes as 10.0.0.0/8");
}

}  // namespace

const config::Section<BalancerSettings>& balancer_section() {
  static const auto section = [] {
    auto s = config::Section<BalancerSettings>(
        "balancer", "The role that serves playlists and chooses the cache node of each viewer.");
    s.text("state_dir", &BalancerSettings::state_dir,
           "Directory for the state that must survive a restart, such as the numbering of each channel. It is created "
           "when it does not exist.",
           config::check_not_empty)
        .required()
        .sample("\"state/balancer\"")
        .sections("nodes", &BalancerSettings::nodes, node_section(),
                  "The cache nodes. Groups are preferred in the order of their first nodes.")
        .duration("node_timeout", &BalancerSettings::node_timeout, {200ms, 60s},
                  "A node without a heartbeat for this time gets no new links. Nodes send a heartbeat every second; "
                  "keep this value under 2 s.")
        .duration(
            "session_idle", &BalancerSettings::session_idle, {1s, 1h},
            "A session is released after three target durations without a playlist request, but not before this time.")
        .duration("ended_session_idle", &BalancerSettings::ended_session_idle, {0ms, 48h},
                  "A session whose playlist has ended (EXT-X-ENDLIST: a film, or an event that is over) lasts as long "
                  "as all segments of the playlist, because players load such a playlist once, but not longer than "
                  "this. When a viewer closes the player and the session is not released, it counts for that time. 0: "
                  "the same as for a live playlist.")
        .duration("publish_delay", &BalancerSettings::publish_delay, {0ms, 5s},
                  "Maximum time for which a new segment is withheld from the viewers of a cache node until the node "
                  "reports that it fills the segment. 0: the segment is listed at once.")
        .duration("order_deadline", &BalancerSettings::order_deadline, {100ms, 1min},
                  "Time for which an operator's order to all cache nodes waits for their results. The response lists a "
                  "node that is not connected as away, and a node that has not answered by then as late.")
        .whole("max_sessions", &BalancerSettings::max_sessions, {1, 100'000'000},
               "Maximum number of sessions that this process keeps in memory, about 300 bytes each. Read at the start; "
               "a reload does not change it.")
        .bytes("rendered_bytes", &BalancerSettings::rendered_bytes, {16ull << 20, 64ull << 30},
               "Memory for rendered playlists, compressed and uncompressed: one for each playlist and list of pins, "
               "and those of the waiting rooms. All viewers share these entries. At the limit, the least recently used "
               "entry is evicted.")
        .whole("metrics_channels", &BalancerSettings::metrics_channels, {0, 100'000},
               "Number of channels with time series of their own in /metrics, in the order of first use: about 12 "
               "series for each channel, and 5 for each further lane. All other channels share channel=\"other\". Read "
               "at the start.");
    add_viewer_fields(s);
    s.section("routing", &BalancerSettings::routing, routing_section(), "How the cache node of each viewer is chosen.")
        .section("steering", &BalancerSettings::steering, steering_section(), "HLS Content Steering.")
        .section("paid_channels", &BalancerSettings::paid_channels, paid_channels_section(),
                 "Sessions of channels that accounts buy. See docs/paid_channels.md.")
        .section("origin", &BalancerSettings::origin, origin_section(), "How source playlists are fetched.")
        .check(check_nodes);
    return s;
  }();
  return section;
}

namespace {

std::string check_signing_keys(const config::Settings& settings) {
  if (!settings.has("balancer") || (settings.has("event") && !settings.get<contracts::Event>("event").keys.empty()))
    return "";
  return "a balancer signs links and tokens: the section \"event\" must have at least one key";
}

}  // namespace

void add_balancer_sections(config::Schema& schema) {
  schema.add(balancer_section(), config::Presence::optional);
  schema.add(access::access_section(), config::Presence::defaulted);
  schema.check("balancer", check_signing_keys);
  schema.check("access", check_access);
  schema.check("event", check_paid_channels);
}

}  // namespace tribune::balancer
