#include "cache_node/settings/cache_node_settings.h"

#include <algorithm>

namespace tribune::cache_node {
namespace {

using namespace std::chrono_literals;

const config::Section<NodeOriginSettings>& origin_section() {
  static const auto section = config::Section<NodeOriginSettings>("origin", "How objects are fetched from origins.")
                                  .duration("connect_timeout", &NodeOriginSettings::connect_timeout, {50ms, 30s},
                                            "How long a connection to an origin may take, name and TLS included.")
                                  .duration("first_byte_timeout", &NodeOriginSettings::first_byte_timeout, {50ms, 60s},
                                            "From sending the request to the whole answer head.")
                                  .duration("low_speed_window", &NodeOriginSettings::low_speed_window, {100ms, 60s},
                                            "The time in which low_speed_bytes must arrive.")
                                  .bytes("low_speed_bytes", &NodeOriginSettings::low_speed_bytes, {1, 64ull << 20},
                                         "Fewer body bytes than this in a low_speed_window end the fetch.")
                                  .duration("total_timeout", &NodeOriginSettings::total_timeout, {1s, 1h},
                                            "How long one request to an origin may take in all.")
                                  .flag("allow_special_addresses", &NodeOriginSettings::allow_special_addresses,
                                        "Whether the host name of a channel's origin may resolve to loopback, private "
                                        "and other special addresses (RFC 6890).")
                                  .whole("max_redirects", &NodeOriginSettings::max_redirects, {0, 5},
                                         "Redirects that a fetch follows, among the channel's own origins only.")
                                  .duration("hold", &NodeOriginSettings::hold, {0ms, 30s},
                                            "For how long a request is held and the origin asked again when it answers "
                                            "404, 403 or 5xx: a link names what a playlist lists, "
                                            "so the object is about to exist.")
                                  .duration("hold_retry", &NodeOriginSettings::hold_retry, {10ms, 10s},
                                            "The first pause while holding; each further one is twice as long.")
                                  .duration("keep_errors", &NodeOriginSettings::keep_errors, {0ms, 1s},
                                            "For how long an origin's error answers for further requests.")
                                  .whole("max_resumes", &NodeOriginSettings::max_resumes, {0, 10},
                                         "How often a body that broke off is asked for again, from where it broke.")
                                  .whole("circuit_failures", &NodeOriginSettings::circuit_failures, {1, 1'000},
                                         "After so many failures in a row (no connection, no answer in time, 5xx) an "
                                         "origin is left alone for circuit_rest.")
                                  .duration("circuit_rest", &NodeOriginSettings::circuit_rest, {10ms, 1min},
                                            "How long an origin that fails is left alone; then one fill asks it, and "
                                            "its answer decides for the others.");
  return section;
}

const config::Section<PeerSettings>& peers_section() {
  static const auto section =
      config::Section<PeerSettings>("peers", "How other cache nodes are asked: those of the group, and the parents.")
          .duration("connect_timeout", &PeerSettings::connect_timeout, {20ms, 10s},
                    "How long a connection to another node may take.")
          .duration("answer_timeout", &PeerSettings::answer_timeout, {600ms, 30s},
                    "A node that says nothing for so long is passed over, and the next in line is asked. One that "
                    "waits for the origin says so in time.")
          .duration("low_speed_window", &PeerSettings::low_speed_window, {100ms, 60s},
                    "A node that sends fewer than origin.low_speed_bytes in this time is passed over in the middle of "
                    "a body. Longer than the origin's "
                    "window, so that a slow origin is not taken for a slow node.")
          .duration("rest", &PeerSettings::rest, {10ms, 1min}, "How long a node that was passed over is left alone.");
  return section;
}

std::string check_fill_step(const std::string& step) {
  return step == "peers" || step == "parent" || step == "origin" ? "" : "must be \"peers\", \"parent\" or \"origin\"";
}

std::string check_group(const std::string& group) { return group.empty() ? "" : config::check_id(group); }

std::string check_origin_or_empty(const std::string& url) { return url.empty() ? "" : config::check_http_origin(url); }

std::string check_keep_rule(const std::string& rule) {
  return parse_keep_rules(rule).empty()
             ? "must be patterns and a time in whole seconds, \"life\" or \"origin\", with single spaces"
             : "";
}

constexpr const char* kKeep =
    "How long an object is used before the origin is asked whether it changed: patterns for channel/path, in which * "
    "stands for anything, and "
    "behind them a time (0s: asked each time), \"life\" (it never changes: used for as long as links to it live) or "
    "\"origin\" (as the origin's "
    "Cache-Control and CDN-Cache-Control say, to the letter). The first rule that fits counts; behind yours stand two "
    "of our own: \"*.m3u8 0s\", "
    "and \"life\" for the suffixes of segments, init sections and keys, whatever their packager says of them. What no "
    "rule names is used as the "
    "origin's header fields say, but never for less than min_age, for a playlist may list it; where they say nothing, "
    "for life.";

constexpr const char* kKeepForm = "\"patterns time\", such as \"demo/*.key 10min\" or \"vod/* origin\"";

constexpr const char* kSlices =
    "Objects above slice_above, such as VOD files, are fetched and kept in slices of this size, each when somebody "
    "asks for a part of it. Their origin must "
    "say Accept-Ranges: bytes and send a strong ETag, or a Last-Modified of more than a second ago. 0: no slices.";

constexpr const char* kGroup =
    "Nodes of one group share their fills: each object has one node of the group that asks the origin, and the others "
    "ask that node. "
    "They must reach each other. Empty: this node fills alone.";

constexpr const char* kCmsd =
    "Whether answers to viewers carry Common Media Server Data (CTA-5006): CMSD-Static names the node and, where the "
    "name tells it, the object's type. From 90 % "
    "of capacity_mbps on, until it was below 80 % for 10 s, CMSD-Dynamic says so (du) with the capacity's even share "
    "for each viewer (mb): players that heed it, "
    "such as Shaka Player, choose no higher bit rate.";

constexpr const char* kQueryKeys =
    "Which keys of a segment's own query, as the source playlist wrote it, tell objects apart: a pattern for "
    "channel/path and the keys, perhaps none. "
    "The first rule that fits counts; where none fits, all do. The origin is asked with the whole query. Players' "
    "additions, CMCD and _HLS_ keys never count.";

std::string check_query_rule(const std::string& rule) {
  return parse_query_rule(rule).pattern.empty() ? "must be a pattern and keys, with single spaces" : "";
}

constexpr const char* kVaryOn =
    "Which fields of viewers' requests choose among variants of an object: a pattern for channel/path and the fields. "
    "Those of the first rule that fits are sent "
    "to the origin and tell objects apart; each other value is an object of its own, so only fields with few values "
    "are worth it. Nodes of a group and their "
    "parents need the same rules. Without a rule an object is one for everybody; where \"keep\" says \"origin\", what "
    "the origin's Vary then divides is not kept.";

std::string check_vary_rule(const std::string& rule) {
  return parse_vary_rule(rule).pattern.empty()
             ? "must be a pattern and fields that may choose a variant, with single spaces"
             : "";
}

std::string check_store(std::string_view text) {
  return text == "disk" || text == "memory" ? "" : "neither disk nor memory";
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
          "A cache node: serves segments, fetches each one once. Needs the keys of the section \"event\"; "
          "the channels come from the balancer.")
          .text("id", &CacheNodeSettings::id,
                "The node's id, as the balancer's list of nodes says it. Read at the start.", config::check_id,
                "1 to 64 of a-z 0-9 . _ -")
          .required()
          .sample("\"stadium\"")
          .text("public_url", &CacheNodeSettings::public_url,
                "Where viewers reach this node; told to the balancer. With a path when a proxy in front of the node "
                "removes that path.",
                config::check_http_base, "http(s)://host[:port][/path]")
          .required()
          .sample("\"http://127.0.0.1:8081\"")
          .texts("balancers", &CacheNodeSettings::balancers,
                 "The balancers that hear this node's heartbeats and tell it the channels.", config::check_http_origin,
                 "http(s)://host[:port]")
          .sample("[\"http://127.0.0.1:8080\"]")
          .text("store", &CacheNodeSettings::store,
                "Where objects are kept: \"disk\"; or \"memory\", for a node without a good disk, which then writes "
                "nothing. Read at the start.",
                check_store, "disk or memory")
          .text("store_dir", &CacheNodeSettings::store_dir,
                "The folder for objects, their index and the last channel map; not needed when store is \"memory\". "
                "Read at the start.")
          .sample("\"/var/lib/tribune/cache\"")
          .bytes("max_bytes", &CacheNodeSettings::max_bytes, {1 << 20, 1ull << 50},
                 "Stored objects, on disk or in RAM as store says, are evicted above this (SIEVE); those in use stay.")
          .bytes("min_free_bytes", &CacheNodeSettings::min_free_bytes, {0, 1ull << 50},
                 "Objects are evicted while the disk has fewer free bytes than this; with less than half of it nothing "
                 "more is written.")
          .duration("min_age", &CacheNodeSettings::min_age, {0ms, 24h},
                    "Objects younger than this are never evicted, for playlists may still list them: a segment's "
                    "duration and the longest playlist.")
          .texts("keep", &CacheNodeSettings::keep, kKeep, check_keep_rule, kKeepForm)
          .texts("query_keys", &CacheNodeSettings::query_keys, kQueryKeys, check_query_rule,
                 "\"pattern keys\", such as \"demo/* n v\"")
          .texts("vary_on", &CacheNodeSettings::vary_on, kVaryOn, check_vary_rule,
                 "\"pattern fields\", such as \"demo/* Accept-Language\"")
          .bytes("slice_bytes", &CacheNodeSettings::slice_bytes, {0, 1ull << 30}, kSlices)
          .bytes("slice_above", &CacheNodeSettings::slice_above, {1 << 10, 1ull << 40},
                 "Objects up to this are kept whole, where max_object_bytes allows it.")
          .bytes("max_index_bytes", &CacheNodeSettings::max_index_bytes, {1 << 20, 1ull << 40},
                 "Bound on the index file: about 500 bytes an object. Read at the start.")
          .bytes("max_object_bytes", &CacheNodeSettings::max_object_bytes, {1 << 10, 1ull << 40},
                 "A larger object is kept in slices, or refused.")
          .bytes("fill_buffer_bytes", &CacheNodeSettings::fill_buffer_bytes, {1 << 20, 1ull << 40},
                 "Bound on the bytes of all running fills in RAM; beyond it origins are slowed down. While the disk "
                 "fails, half of it holds complete objects.")
          .duration("disk_patience", &CacheNodeSettings::disk_patience, {10ms, 1min},
                    "How long a fill waits for the disk with full buffers before its object is passed through without "
                    "being stored.")
          .whole("open_files", &CacheNodeSettings::open_files, {16, 1'000'000},
                 "Files of hot objects that are kept open. Read at the start.")
          .real("capacity_mbps", &CacheNodeSettings::capacity_mbps, {1, 1e7},
                "What this node can send, in megabits a second; told to the balancer.")
          .flag("cmsd", &CacheNodeSettings::cmsd, kCmsd)
          .duration("heartbeat_interval", &CacheNodeSettings::heartbeat_interval, {100ms, 10s},
                    "Time between heartbeats. Read at the start.")
          .text("group", &CacheNodeSettings::group, kGroup, check_group, "empty, or 1 to 64 of a-z 0-9 . _ -")
          .text("peer_url", &CacheNodeSettings::peer_url,
                "Where the nodes of the group reach this one. Empty: public_url.", check_origin_or_empty,
                "http(s)://host[:port]")
          .texts("fill", &CacheNodeSettings::fill,
                 "Whom a fill asks, in this order: the peers of the group that come first for the object, the parents, "
                 "the origin and its backups.",
                 check_fill_step, "peers, parent, origin")
          .texts("parents", &CacheNodeSettings::parents,
                 "Cache nodes of the tier above, with the same keys and channels. Each object has one of them that is "
                 "asked first.",
                 config::check_http_origin, "http(s)://host[:port]")
          .section("peers", &CacheNodeSettings::peers, peers_section(), "How other cache nodes are asked.")
          .section("origin", &CacheNodeSettings::origin, origin_section(), "How objects are fetched from origins.")
          .moved("proxy", "the section http_cache");
  return section;
}

}  // namespace tribune::cache_node
