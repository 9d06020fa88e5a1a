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
          .text("id", &NodeSettings::id, "The node's id, as its own configuration says it.", config::check_id,
                "1 to 64 of a-z 0-9 . _ -")
          .required()
          .sample("\"stadium\"")
          .text("url", &NodeSettings::url,
                "Where viewers reach it. Empty: what its heartbeats say; then a balancer that starts knows it only "
                "once it was heard.",
                check_node_url, "http(s)://host[:port][/path], or empty")
          .sample("\"http://127.0.0.1:8081\"")
          .text("group", &NodeSettings::group,
                "The nodes of one group stand for each other and share its viewers. Empty: the node stands for itself.",
                check_group, "1 to 64 of a-z 0-9 . _ -, or empty")
          .whole("capacity_mbps", &NodeSettings::capacity_mbps, {0, 10'000'000},
                 "What it can send to viewers. 0: what its heartbeats say.");
  return section;
}

const config::Section<SourceOriginSettings>& origin_section() {
  static const auto section =
      config::Section<SourceOriginSettings>(
          "origin", "How source playlists are fetched. Read at the start; a reload does not change it.")
          .duration("connect_timeout", &SourceOriginSettings::connect_timeout, {50ms, 30s},
                    "How long a connection to an origin may take.")
          .duration("first_byte_timeout", &SourceOriginSettings::first_byte_timeout, {50ms, 60s},
                    "From sending the request to the whole answer head.")
          .duration("low_speed_window", &SourceOriginSettings::low_speed_window, {100ms, 60s},
                    "The time in which low_speed_bytes must arrive.")
          .bytes("low_speed_bytes", &SourceOriginSettings::low_speed_bytes, {1, 64ull << 20},
                 "Fewer body bytes than this in a low_speed_window end the fetch.")
          .duration("total_timeout", &SourceOriginSettings::total_timeout, {100ms, 120s},
                    "How long fetching one playlist may take in all.")
          .flag("allow_special_addresses", &SourceOriginSettings::allow_special_addresses,
                "Whether the host name of a configured origin may resolve to loopback, private and other special "
                "addresses (RFC 6890).")
          .duration("first_answer", &SourceOriginSettings::first_answer, {100ms, 60s},
                    "How long a viewer waits for a playlist that this balancer does not have yet.")
          .duration("multivariant_age", &SourceOriginSettings::multivariant_age, {1s, 1h},
                    "A multivariant playlist older than this is fetched again, while it is asked for.")
          .duration("media_look", &SourceOriginSettings::media_look, {0ms, 5s},
                    "Where a source has no multivariant playlist, its init section and the beginning of a segment, at "
                    "most 512 KiB, are fetched once "
                    "for each start of the source, so that the one that viewers get states CODECS, RESOLUTION, "
                    "FRAME-RATE and the bandwidth. Its first "
                    "viewers wait for so long and then get it without. 0: no segment is fetched.")
          .whole("max_waiting", &SourceOriginSettings::max_waiting, {1, 10'000'000},
                 "Viewers that may wait for a playlist at once; more get a 503.");
  return section;
}

std::string check_nodes(const BalancerSettings& settings) {
  std::set<std::string_view> seen;
  for (const auto& node : settings.nodes)
    if (!seen.insert(node.id).second) return "node id \"" + node.id + "\" stands twice";
  return "";
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
             "Parts of the User-Agent, in either case, of players that get direct links where links is auto: those "
             "that try a listed "
             "segment again at another URI when its node is gone. A browser does not say which player runs in it: a "
             "page adds it to the URL that "
             "it opens, as in index.m3u8?player=videojs-vhs. All others (hls.js, Shaka, AVPlayer, media3, unknown "
             "ones) get redirect links.",
             config::check_not_empty, "parts of a User-Agent")
      .text("slate_folder", &BalancerSettings::slate_folder,
            "Where the waiting rooms of the channels lie, one folder each, as scripts/make-slate makes them. Empty: "
            "there are none. Read at the start.")
      .text("slate_origin", &BalancerSettings::slate_origin,
            "Where cache nodes reach this balancer, so that they serve the waiting rooms' segments. Empty: the "
            "balancer serves them itself.",
            check_origin, "http(s)://host[:port], or empty")
      .texts("operator_networks", &BalancerSettings::operator_networks,
             "Who may use /access_queue_switch without a token, by the client's address as the front listener "
             "evaluates it. Behind a proxy name it in "
             "front.trusted_proxies: an address that no trusted proxy vouches for counts only when the request shows "
             "no sign of a proxy. Requests that "
             "pages of other sites cause, and those whose Host is a name that admin.names lacks, are refused. Empty: "
             "the token alone.",
             config::check_prefix, "addresses, or prefixes as 10.0.0.0/8")
      .text("operator_token", &BalancerSettings::operator_token,
            "Who sends it as Authorization: Bearer may use /access_queue_switch from anywhere. Empty: nobody.",
            runtime::operator_token_rule, "at least 16 visible ASCII characters")
      .texts("shared_networks", &BalancerSettings::shared_networks,
             "Client addresses behind which many people are, such as a stadium's or a carrier's, and backends that ask "
             "for their users: access."
             "max_sessions_per_address and max_tickets_per_address do not hold for them.",
             config::check_prefix, "addresses, or prefixes as 10.0.0.0/8");
}

}  // namespace

const config::Section<BalancerSettings>& balancer_section() {
  static const auto section = [] {
    auto s = config::Section<BalancerSettings>(
        "balancer", "The role that serves playlists and chooses the cache node of each viewer.");
    s.text("state_dir", &BalancerSettings::state_dir,
           "The directory of what must outlive a restart: the numbering of each channel. Made when it is missing.",
           config::check_not_empty)
        .required()
        .sample("\"state/balancer\"")
        .sections("nodes", &BalancerSettings::nodes, node_section(),
                  "The cache nodes; groups are preferred in the order of their first nodes.")
        .duration("node_timeout", &BalancerSettings::node_timeout, {200ms, 60s},
                  "A node that was silent for so long is left out of new links. Nodes send a heartbeat every second; "
                  "keep it under 2 s.")
        .duration("session_idle", &BalancerSettings::session_idle, {1s, 1h},
                  "A session without a playlist request is released after three target durations, and not before this.")
        .duration("ended_session_idle", &BalancerSettings::ended_session_idle, {0ms, 48h},
                  "A session whose playlist has ended (EXT-X-ENDLIST: a film, or an event that is over) lasts as long "
                  "as all its segments, for players load "
                  "such a playlist once, and not longer than this. Who closes the player without giving the session "
                  "back keeps its place for so long. "
                  "0: as with a live playlist.")
        .duration("publish_delay", &BalancerSettings::publish_delay, {0ms, 5s},
                  "How long a new segment is held back from the viewers of a cache node until it says that it fills "
                  "it. 0: it is listed at once.")
        .duration("order_deadline", &BalancerSettings::order_deadline, {100ms, 1min},
                  "How long an operator's order to all cache nodes waits for their answers. A node that is away by "
                  "then is named.")
        .whole("max_sessions", &BalancerSettings::max_sessions, {1, 100'000'000},
               "Sessions that this process keeps in memory, some 300 bytes each. Read at the start; a reload does not "
               "change it.")
        .bytes("rendered_bytes", &BalancerSettings::rendered_bytes, {16ull << 20, 64ull << 30},
               "Rendered playlists that are kept in memory, compressed and not: one for each playlist and list of "
               "pins, and those of the waiting rooms. "
               "The least recently used give way; viewers share what is kept.")
        .whole("metrics_channels", &BalancerSettings::metrics_channels, {0, 100'000},
               "So many channels, those first used, have series of their own in /metrics: about 12 each, and 5 for "
               "each further lane. All others share "
               "channel=\"other\". Read at the start.");
    add_viewer_fields(s);
    s.section("routing", &BalancerSettings::routing, routing_section(), "How the cache node of each viewer is chosen.")
        .section("steering", &BalancerSettings::steering, steering_section(), "HLS Content Steering.")
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
}

}  // namespace tribune::balancer
