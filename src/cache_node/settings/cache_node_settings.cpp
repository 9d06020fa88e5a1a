#include "cache_node/settings/cache_node_settings.h"

#include <algorithm>

namespace tribune::cache_node {
namespace {

using namespace std::chrono_literals;

const config::Section<NodeOriginSettings>& origin_section() {
  static const auto section =
      config::Section<NodeOriginSettings>("origin", "How objects are fetched from origins.")
          .duration("connect_timeout", &NodeOriginSettings::connect_timeout, {50ms, 30s},
                    "Time for the connection to an origin, including name resolution and TLS.")
          .duration("first_byte_timeout", &NodeOriginSettings::first_byte_timeout, {50ms, 60s},
                    "Time from sending the request to receiving the whole response head.")
          .duration("low_speed_window", &NodeOriginSettings::low_speed_window, {100ms, 60s},
                    "The time in which low_speed_bytes must arrive.")
          .bytes("low_speed_bytes", &NodeOriginSettings::low_speed_bytes, {1, 64ull << 20},
                 "Minimum number of body bytes in a low_speed_window; a fetch that receives fewer is aborted.")
          .duration("total_timeout", &NodeOriginSettings::total_timeout, {1s, 1h},
                    "Time for one request to an origin in total.")
          .flag("allow_special_addresses", &NodeOriginSettings::allow_special_addresses,
                "Whether the host name of a channel's origin may resolve to loopback, private and other special "
                "addresses (RFC 6890). As balancer.origin.allow_special_addresses.")
          .whole("max_redirects", &NodeOriginSettings::max_redirects, {0, 5},
                 "Maximum number of redirects that a fetch follows, only among the channel's own origins.")
          .duration("hold", &NodeOriginSettings::hold, {0ms, 30s},
                    "Time for which a request is held and the origin is asked again when it answers 404, 403 or 5xx. A "
                    "link names a segment that a playlist lists, so the object is expected to appear. After this time "
                    "the error is returned.")
          .duration("hold_retry", &NodeOriginSettings::hold_retry, {10ms, 10s},
                    "Delay before the first retry within hold; each further delay is twice as long.")
          .duration("keep_errors", &NodeOriginSettings::keep_errors, {0ms, 1s},
                    "Time for which an error response of an origin also answers further requests for the same object.")
          .whole("max_resumes", &NodeOriginSettings::max_resumes, {0, 10},
                 "Maximum number of times that an interrupted body is requested again from the point of interruption.")
          .whole("circuit_failures", &NodeOriginSettings::circuit_failures, {1, 1'000},
                 "Number of consecutive failures (no connection, no response in time, 5xx) after which the circuit "
                 "breaker of the origin opens for circuit_rest; the origin then receives no requests.")
          .duration("circuit_rest", &NodeOriginSettings::circuit_rest, {10ms, 1min},
                    "Time for which the circuit breaker of a failing origin stays open. After it one fill sends a "
                    "request to the origin, and its result closes the breaker or opens it again.");
  return section;
}

const config::Section<PeerSettings>& peers_section() {
  static const auto section =
      config::Section<PeerSettings>(
          "peers", "How objects are requested from other cache nodes: the nodes of the group, and the parents.")
          .duration("connect_timeout", &PeerSettings::connect_timeout, {20ms, 10s},
                    "Time for the connection to another node.")
          .duration("answer_timeout", &PeerSettings::answer_timeout, {600ms, 30s},
                    "Time within which a node must answer; a node that sends nothing for this time is skipped, and the "
                    "next candidate is asked. A node that waits for the origin reports this within the time.")
          .duration(
              "low_speed_window", &PeerSettings::low_speed_window, {100ms, 60s},
              "A node that sends fewer than origin.low_speed_bytes in this time is skipped in the middle of a body. "
              "Set it longer than origin.low_speed_window, so that a slow origin is not mistaken for a slow node.")
          .duration("rest", &PeerSettings::rest, {10ms, 1min}, "Time for which a skipped node receives no requests.");
  return section;
}

std::string check_fill_step(const std::string& step) {
  return step == "peers" || step == "parent" || step == "origin" ? "" : "must be \"peers\", \"parent\" or \"origin\"";
}

std::string check_group(const std::string& group) { return group.empty() ? "" : config::check_id(group); }

std::string check_origin_or_empty(const std::string& url) { return url.empty() ? "" : config::check_http_origin(url); }

std::string check_keep_rule(const std::string& rule) {
  return parse_keep_rules(rule).empty()
             ? "must be patterns and a time in whole seconds, \"life\" or \"origin\", separated by single spaces"
             : "";
}

constexpr const char* kKeep =
    "How long an object is used before it is revalidated with the origin. A rule has one or more patterns for "
    "channel/path, in which * matches any text, followed by a time (0s: revalidated on each request), \"life\" (the "
    "object never changes: it is used for as long as links to it are valid) or \"origin\" (exactly as the origin's "
    "Cache-Control and CDN-Cache-Control state). The first matching rule applies. Two built-in rules follow the "
    "configured ones: \"*.m3u8 0s\", and \"life\" for the suffixes of segments, init sections and keys, whatever "
    "header fields their packager sends. An object that no rule matches is used as the origin's header fields state, "
    "but never for less than min_age, because a playlist may list it; without such header fields, for life.";

constexpr const char* kKeepForm = "\"patterns time\", such as \"demo/*.key 10min\" or \"vod/* origin\"";

constexpr const char* kSlices =
    "Objects above slice_above, such as VOD files, are fetched and stored in slices of this size, each when a part of "
    "it is first requested. The origin must send Accept-Ranges: bytes and a strong ETag, or a Last-Modified of more "
    "than one second ago. 0: objects are not sliced.";

constexpr const char* kGroup =
    "The group of this node. Nodes of one group share their fills: for each object, one node of the group sends the "
    "request to the origin, and the others request the object from that node. The nodes must reach each other. Empty: "
    "this node fills on its own.";

constexpr const char* kCmsd =
    "Send Common Media Server Data (CTA-5006) in responses to viewers: CMSD-Static contains the node and, where the "
    "name shows it, the type of the object. When the node sends 90 % of capacity_mbps or more, until it has been below "
    "80 % for 10 s, CMSD-Dynamic reports duress (du) and the even share of the capacity for each viewer (mb): players "
    "that support it, such as Shaka Player, choose no higher bit rate.";

constexpr const char* kQueryKeys =
    "Keys of a segment URI's own query, as the source playlist contains it, that are part of the cache key: a pattern "
    "for channel/path, followed by the keys, if any. The first matching rule applies; without a match, all keys are "
    "part of it. The request to the origin contains the whole query. Keys that players add, CMCD and _HLS_ keys are "
    "never part of it.";

std::string check_query_rule(const std::string& rule) {
  return parse_query_rule(rule).pattern.empty() ? "must be a pattern and keys, separated by single spaces" : "";
}

constexpr const char* kVaryOn =
    "Request header fields of viewers that select a variant of an object: a pattern for channel/path, followed by the "
    "fields. The fields of the first matching rule are sent to the origin and are part of the cache key; each "
    "different value makes a separate object, so use only fields with few values. Nodes of a group and their parents "
    "need the same rules. Without a rule an object is the same for all viewers; where \"keep\" is \"origin\", an "
    "object that the origin's Vary then divides is not stored.";

std::string check_vary_rule(const std::string& rule) {
  return parse_vary_rule(rule).pattern.empty()
             ? "must be a pattern and fields that may select a variant, separated by single spaces"
             : "";
}

std::string check_store(std::string_view text) {
  return text == "disk" || text == "memory" ? "" : "must be \"disk\" or \"memory\"";
}

}  // namespace

FillSettings CacheNodeSettings::fill_settings() const {
  FillSettings settings;
  settings.deadlines.connect = origin.connect_timeout;
  settings.deadlines.first_byte = origin.first_byte_timeout;
  settings.deadlines.low_speed_window = origin.low_speed_window;
  settings.deadlines.low_speed_bytes = origin.low_speed_bytes;
  settings.deadlines.total = origin.total_timeout;
  settings.allow_special_addresses = origin.allow_special_addresses;
  settings.max_redirects = origin.max_redirects;
  settings.max_object_bytes = max_object_bytes;
  settings.slice_bytes = slice_bytes;
  settings.slice_above = std::min(slice_above, max_object_bytes);
  settings.hold = origin.hold;
  settings.hold_retry = origin.hold_retry;
  settings.keep_errors = origin.keep_errors;
  settings.max_resumes = origin.max_resumes;
  settings.circuit = {origin.circuit_failures, origin.circuit_rest};
  settings.disk_patience = disk_patience;
  return settings;
}

QueryRules CacheNodeSettings::query_rules() const {
  QueryRules rules;
  for (const auto& text : query_keys) rules.push_back(parse_query_rule(text));
  return rules;
}

VaryRules CacheNodeSettings::vary_rules() const {
  VaryRules rules;
  for (const auto& text : vary_on) rules.push_back(parse_vary_rule(text));
  return rules;
}

RetentionRules CacheNodeSettings::retention_rules() const {
  RetentionRules rules;
  const auto add = [&](const RetentionRules& more) { rules.insert(rules.end(), more.begin(), more.end()); };
  for (const auto& text : keep) add(parse_keep_rules(text));
  add(built_in_keep_rules());
  return rules;
}

const config::Section<CacheNodeSettings>& cache_node_section() {
  static const auto section =
      config::Section<CacheNodeSettings>(
          "cache_node",
          "The role that stores and serves segments; each object is fetched once. It requires the keys of the section "
          "\"event\"; it receives the channels from the balancer.")
          .text("id", &CacheNodeSettings::id, "The id of the node, the same as in balancer.nodes. Read at the start.",
                config::check_id, "1 to 64 of a-z 0-9 . _ -")
          .required()
          .sample("\"stadium\"")
          .text("public_url", &CacheNodeSettings::public_url,
                "URL at which viewers reach this node; it is reported to the balancer. Add a path when a proxy in "
                "front of the node removes that path.",
                config::check_http_base, "http(s)://host[:port][/path]")
          .required()
          .sample("\"http://127.0.0.1:8081\"")
          .texts("balancers", &CacheNodeSettings::balancers,
                 "The balancers to which this node sends heartbeats and from which it receives the channels.",
                 config::check_http_origin, "http(s)://host[:port]")
          .sample("[\"http://127.0.0.1:8080\"]")
          .text("store", &CacheNodeSettings::store,
                "Storage of objects: \"disk\", or \"memory\" for a node without a suitable disk, which then writes "
                "nothing. Read at the start.",
                check_store, "disk or memory")
          .text("store_dir", &CacheNodeSettings::store_dir,
                "Directory for objects, their index and the last channel map; not required when store is \"memory\". "
                "Read at the start.")
          .sample("\"/var/lib/tribune/cache\"")
          .bytes("max_bytes", &CacheNodeSettings::max_bytes, {1 << 20, 1ull << 50},
                 "Maximum total size of the stored objects, on disk or in RAM according to store. Above it, objects "
                 "are evicted (SIEVE), except objects in use.")
          .bytes("min_free_bytes", &CacheNodeSettings::min_free_bytes, {0, 1ull << 50},
                 "Minimum free space on the disk. Below it, objects are evicted; below half of it, nothing more is "
                 "written.")
          .duration("min_age", &CacheNodeSettings::min_age, {0ms, 24h},
                    "Objects younger than this are never evicted, because playlists may still list them. Set it to the "
                    "duration of a segment plus that of the longest playlist.")
          .texts("keep", &CacheNodeSettings::keep, kKeep, check_keep_rule, kKeepForm)
          .texts("query_keys", &CacheNodeSettings::query_keys, kQueryKeys, check_query_rule,
                 "\"pattern keys\", such as \"demo/* n v\"")
          .texts("vary_on", &CacheNodeSettings::vary_on, kVaryOn, check_vary_rule,
                 "\"pattern fields\", such as \"demo/* Accept-Language\"")
          .bytes("slice_bytes", &CacheNodeSettings::slice_bytes, {0, 1ull << 30}, kSlices)
          .bytes("slice_above", &CacheNodeSettings::slice_above, {1 << 10, 1ull << 40},
                 "Objects up to this size are stored whole, unless max_object_bytes is smaller.")
          .bytes("max_index_bytes", &CacheNodeSettings::max_index_bytes, {1 << 20, 1ull << 40},
                 "Maximum size of the index file, about 500 bytes for each object. Read at the start.")
          .bytes("max_object_bytes", &CacheNodeSettings::max_object_bytes, {1 << 10, 1ull << 40},
                 "Maximum size of an object that is stored whole. A larger object is stored in slices, or refused.")
          .bytes("fill_buffer_bytes", &CacheNodeSettings::fill_buffer_bytes, {1 << 20, 1ull << 40},
                 "Maximum total size in RAM of all fills in progress. At the limit, responses are read from origins "
                 "more slowly. While the disk fails, half of it holds complete objects.")
          .duration("disk_patience", &CacheNodeSettings::disk_patience, {10ms, 1min},
                    "Time that a fill with full buffers waits for the disk; after it the object is passed through "
                    "without being stored.")
          .whole("open_files", &CacheNodeSettings::open_files, {16, 1'000'000},
                 "Number of files of frequently requested objects that are kept open. Read at the start.")
          .real("capacity_mbps", &CacheNodeSettings::capacity_mbps, {1, 1e7},
                "Capacity of this node in megabits per second; it is reported to the balancer.")
          .flag("cmsd", &CacheNodeSettings::cmsd, kCmsd)
          .duration("heartbeat_interval", &CacheNodeSettings::heartbeat_interval, {100ms, 10s},
                    "Interval at which heartbeats are sent. Read at the start.")
          .text("group", &CacheNodeSettings::group, kGroup, check_group, "empty, or 1 to 64 of a-z 0-9 . _ -")
          .text("peer_url", &CacheNodeSettings::peer_url,
                "URL at which the nodes of the group reach this node. Empty: public_url.", check_origin_or_empty,
                "http(s)://host[:port]")
          .texts("fill", &CacheNodeSettings::fill,
                 "The servers that a fill asks, in this order: peers (the nodes of the group that come first for the "
                 "object), parent (the parents), origin (the origin and its backups).",
                 check_fill_step, "peers, parent, origin")
          .texts("parents", &CacheNodeSettings::parents,
                 "Cache nodes of the parent tier, with the same keys and channels. For each object, one of them is "
                 "asked first.",
                 config::check_http_origin, "http(s)://host[:port]")
          .section("peers", &CacheNodeSettings::peers, peers_section(),
                   "How objects are requested from other cache nodes.")
          .section("origin", &CacheNodeSettings::origin, origin_section(), "How objects are fetched from origins.")
          .moved("proxy", "the section http_cache");
  return section;
}

}  // namespace tribune::cache_node
