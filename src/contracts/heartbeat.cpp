#include "contracts/heartbeat.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "contracts/canonical.h"
#include "http/uri.h"

namespace tribune::contracts {
namespace {

namespace json = base::json;

tl::unexpected<base::Error> malformed_heartbeat(std::string text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::node, std::move(text));
}

/// Reads the members of one object. Records the first invalid one; absent ones keep their defaults.
class Members {
 public:
  explicit Members(const json::Value& object) : object_(object) {}

  void text(std::string_view name, std::string& out, std::size_t most) {
    const auto* value = object_.find(name);
    if (!value) return;
    if (!value->is(json::Kind::string) || value->string.size() > most) return wrong(name);
    out = value->string;
  }
  void flag(std::string_view name, bool& out) {
    const auto* value = object_.find(name);
    if (!value) return;
    if (!value->is(json::Kind::boolean)) return wrong(name);
    out = value->boolean;
  }
  void count(std::string_view name, std::int64_t& out) {
    const auto* value = object_.find(name);
    if (!value) return;
    if (!value->is(json::Kind::integer) || value->integer < 0) return wrong(name);
    out = value->integer;
  }
  void amount(std::string_view name, double& out) {
    const auto* value = object_.find(name);
    if (!value) return;
    const bool numeric = value->is(json::Kind::number) || value->is(json::Kind::integer);
    if (!numeric || !std::isfinite(value->number) || value->number < 0) return wrong(name);
    out = value->number;
  }
  const std::string& first_wrong() const { return first_wrong_; }

 private:
  void wrong(std::string_view name) {
    if (first_wrong_.empty()) first_wrong_ = name;
  }
  const json::Value& object_;
  std::string first_wrong_;
};

bool is_node_url(const std::string& url) {
  const auto uri = http::parse_uri(url);
  const auto authority = url.find("://") + 3;
  return uri && url.find_first_of("?#") == std::string::npos && url.find("//", authority) == std::string::npos &&
         url.find("/.", authority) == std::string::npos;
}

/// {"channel": mbps, …}
bool read_channels(const json::Value& heartbeat, std::optional<std::vector<std::pair<std::string, double>>>& out) {
  const auto* list = heartbeat.find("channels");
  if (!list) return true;
  if (!list->is(json::Kind::object) || list->object.size() > kMaxHeartbeatChannels) return false;
  out.emplace();
  for (const auto& member : list->object) {
    const auto& value = member.value;
    const bool is_numeric = value.is(json::Kind::number) || value.is(json::Kind::integer);
    if (!is_id(member.name) || !is_numeric || !std::isfinite(value.number) || value.number < 0) return false;
    out->emplace_back(member.name, value.number);
  }
  return true;
}

/// {"channel": [delivered, refused in a row], …}
bool read_origin_answers(const json::Value& heartbeat, std::vector<ChannelAnswers>& out) {
  const auto* list = heartbeat.find("origin_answers");
  if (!list) return true;
  if (!list->is(json::Kind::object) || list->object.size() > kMaxAnsweredChannels) return false;
  for (const auto& member : list->object) {
    const auto& counts = member.value;
    if (!is_id(member.name) || !counts.is(json::Kind::array) || counts.array.size() != 2) return false;
    for (const auto& count : counts.array)
      if (!count.is(json::Kind::integer) || count.integer < 0) return false;
    out.push_back({member.name, counts.array[0].integer, counts.array[1].integer});
  }
  return true;
}

void write_numbers(json::Writer& w, const ListedNumbers& numbers) {
  w.begin_object();
  std::size_t written = 0;
  for (const auto& [channel, number] : numbers) {
    if (++written > kMaxListedNumbers) break;
    w.key(channel).begin_object().member("epoch", number.epoch).member("next_msn", number.next_msn);
    w.member("discontinuity", number.discontinuity).end_object();
  }
  w.end_object();
}

/// {"channel": {"epoch": text, "next_msn": number, "discontinuity": number}, …}
std::optional<ListedNumbers> read_numbers(const json::Value& value) {
  if (!value.is(json::Kind::object) || value.object.size() > kMaxListedNumbers) return std::nullopt;
  const auto is_number = [](std::int64_t number) { return number >= 0 && number <= kLargestListedNumber; };
  ListedNumbers numbers;
  for (const auto& member : value.object) {
    const auto& entry = member.value;
    ListedNumber number{std::string(entry.text("epoch").value_or("")), entry.whole("next_msn").value_or(-1),
                        entry.whole("discontinuity").value_or(-1)};
    const bool is_epoch = !number.epoch.empty() && number.epoch.size() <= 16;
    if (!is_id(member.name) || !is_epoch || !is_number(number.next_msn) || !is_number(number.discontinuity))
      return std::nullopt;
    numbers[member.name] = std::move(number);
  }
  return numbers;
}

}  // namespace

double share(std::int64_t failures, std::int64_t of) {
  return of > 0 ? static_cast<double>(failures) / static_cast<double>(of) : 0;
}

std::string to_json(const Heartbeat& h) {
  json::Writer w;
  w.begin_object()
      .member("node", h.node)
      .member("public_url", h.public_url)
      .member("group", h.group)
      .member("peer_url", h.peer_url)
      .member("version", h.version)
      .member("run", h.run)
      .member("sequence", h.sequence)
      .member("sent_unix_ms", h.sent_unix_ms)
      .member("healthy", h.healthy)
      .member("reason", h.reason)
      .member("sent_mbps", h.sent_mbps)
      .member("capacity_mbps", h.capacity_mbps)
      .member("connections", h.connections)
      .member("sessions", h.sessions)
      .member("player_reports", h.player_reports)
      .member("player_networks", h.player_networks)
      .member("starved_networks", h.starved_networks)
      .member("rebuffer_ratio", h.rebuffer_ratio)
      .member("player_mbps", h.player_mbps)
      .member("objects", h.objects)
      .member("stored_bytes", h.stored_bytes)
      .member("max_bytes", h.max_bytes)
      .member("disk_free_bytes", h.disk_free_bytes)
      .member("requests", h.experience.requests)
      .member("failures", h.experience.failures)
      .member("failures_by_origin", h.experience.failures_by_origin)
      .member("failures_by_origin_status", h.experience.failures_by_origin_status)
      .member("origin_asks", h.experience.origin_asks)
      .member("origin_failures", h.experience.origin_failures)
      .member("peer_asks", h.experience.peer_asks)
      .member("peer_failures", h.experience.peer_failures)
      .member("memory", h.memory)
      .member("descriptors", h.descriptors)
      .member("max_descriptors", h.max_descriptors);
  if (h.channel_mbps) {
    w.key("channels").begin_object();
    for (const auto& [channel, mbps] : *h.channel_mbps) w.member(channel, mbps);
    w.end_object();
  }
  if (!h.origin_answers.empty()) {
    w.key("origin_answers").begin_object();
    for (const auto& answers : h.origin_answers)
      w.key(answers.channel).begin_array().value(answers.delivered).value(answers.refused_in_a_row).end_array();
    w.end_object();
  }
  if (h.listed_numbers) write_numbers(w.key("listed_numbers"), *h.listed_numbers);
  return w.end_object().take();
}

namespace {

void read_experience(Members& members, Heartbeat& h) {
  auto& e = h.experience;
  members.count("requests", e.requests);
  members.count("failures", e.failures);
  members.count("failures_by_origin", e.failures_by_origin);
  members.count("failures_by_origin_status", e.failures_by_origin_status);
  members.count("origin_asks", e.origin_asks);
  members.count("origin_failures", e.origin_failures);
  members.count("peer_asks", e.peer_asks);
  members.count("peer_failures", e.peer_failures);
  members.text("memory", h.memory, 16);
  members.count("descriptors", h.descriptors);
  members.count("max_descriptors", h.max_descriptors);
}

/// The members by channel. Returns what is wrong with one; empty: nothing.
std::string_view read_channel_members(const json::Value& heartbeat, Heartbeat& h) {
  if (!read_channels(heartbeat, h.channel_mbps))
    return "the member channels is not an object of rates by channel, or is too long";
  if (!read_origin_answers(heartbeat, h.origin_answers))
    return "the member origin_answers is not an object of two counts by channel, or is too long";
  const auto* numbers = heartbeat.find("listed_numbers");
  if (!numbers) return "";
  h.listed_numbers = read_numbers(*numbers);
  return h.listed_numbers ? "" : "the member listed_numbers is not an object of numbers by channel, or is too long";
}

}  // namespace

base::Result<Heartbeat> heartbeat_from_json(std::string_view text) {
  json::ParseLimits limits;
  limits.max_bytes = kMaxHeartbeatBytes;
  limits.max_depth = 8;
  limits.max_values = 1000 + 4 * kMaxListedNumbers;
  const auto value = json::parse(text, limits);
  if (!value) return malformed_heartbeat("not JSON: " + value.error().text);
  if (!value->is(json::Kind::object)) return malformed_heartbeat("not an object");
  Heartbeat h;
  Members members(*value);
  members.text("node", h.node, 64);
  members.text("public_url", h.public_url, 512);
  members.text("group", h.group, 64);
  members.text("peer_url", h.peer_url, 512);
  members.text("version", h.version, 64);
  members.text("run", h.run, 64);
  members.count("sequence", h.sequence);
  members.count("sent_unix_ms", h.sent_unix_ms);
  members.flag("healthy", h.healthy);
  members.text("reason", h.reason, 256);
  members.amount("sent_mbps", h.sent_mbps);
  members.amount("capacity_mbps", h.capacity_mbps);
  members.count("connections", h.connections);
  members.count("sessions", h.sessions);
  members.count("player_reports", h.player_reports);
  members.count("player_networks", h.player_networks);
  members.count("starved_networks", h.starved_networks);
  members.amount("rebuffer_ratio", h.rebuffer_ratio);
  members.amount("player_mbps", h.player_mbps);
  members.count("objects", h.objects);
  members.count("stored_bytes", h.stored_bytes);
  members.count("max_bytes", h.max_bytes);
  members.count("disk_free_bytes", h.disk_free_bytes);
  read_experience(members, h);
  if (!members.first_wrong().empty())
    return malformed_heartbeat("the member " + members.first_wrong() + " is out of range or of another type");
  if (const auto wrong = read_channel_members(*value, h); !wrong.empty())
    return malformed_heartbeat(std::string(wrong));
  if (!is_id(h.node)) return malformed_heartbeat("the member node is not an id");
  if (h.run.empty() || h.sent_unix_ms == 0) return malformed_heartbeat("the members run and sent_unix_ms are required");
  if (!h.public_url.empty() && !is_node_url(h.public_url))
    return malformed_heartbeat("the member public_url is not http(s)://host[:port][/path]");
  if (!h.group.empty() && !is_id(h.group)) return malformed_heartbeat("the member group is not an id");
  if (!h.peer_url.empty() && !is_node_url(h.peer_url))
    return malformed_heartbeat("the member peer_url is not http(s)://host[:port][/path]");
  return h;
}

std::string heartbeat_answer(std::string_view channel_map_json, const std::vector<Peer>& peers,
                             const std::optional<ListedLinks>& listed, std::string_view unfit,
                             const DistrustedBackups& distrusted, const NumbersOfAnswer& numbers) {
  json::Writer w;
  w.begin_array();
  for (const auto& peer : peers) w.begin_object().member("id", peer.id).member("url", peer.url).end_object();
  const auto list = w.end_array().take();
  std::string answer(channel_map_json.substr(0, channel_map_json.rfind('}')));
  answer.append(",\"peers\":").append(list);
  if (listed) {
    json::Writer links;
    links.begin_object();
    for (const auto& [channel, from] : *listed) links.member(channel, from);
    answer.append(",\"listed_links\":").append(links.end_object().take());
  }
  if (!unfit.empty()) answer.append(",\"unfit\":").append(json::Writer().value(unfit).take());
  if (!distrusted.empty()) {
    json::Writer channels;
    channels.begin_object();
    for (const auto& [channel, backups] : distrusted) {
      channels.key(channel).begin_array();
      for (std::size_t i = 0; i < std::min(backups.size(), kMaxDistrustedBackups); ++i) channels.value(backups[i]);
      channels.end_array();
    }
    answer.append(",\"distrusted_backups\":").append(channels.end_object().take());
  }
  if (numbers.wanted) answer.append(",\"wants_listed_numbers\":true");
  if (!numbers.listed.empty()) {
    json::Writer listed_numbers;
    write_numbers(listed_numbers, numbers.listed);
    answer.append(",\"listed_numbers\":").append(listed_numbers.take());
  }
  return answer.append("}");
}

namespace {

bool read_distrusted(const json::Value& answer, DistrustedBackups& distrusted) {
  const auto* channels = answer.find("distrusted_backups");
  if (!channels) return true;
  if (!channels->is(json::Kind::object)) return false;
  for (const auto& channel : channels->object) {
    const auto& backups = channel.value;
    if (!is_id(channel.name) || !backups.is(json::Kind::array) || backups.array.size() > kMaxDistrustedBackups)
      return false;
    for (const auto& backup : backups.array) {
      const auto uri = http::parse_uri(backup.string);
      if (!uri || uri->origin() != backup.string) return false;
      distrusted[channel.name].push_back(backup.string);
    }
  }
  return true;
}

}  // namespace

base::Result<NumbersOfAnswer> numbers_from_answer(std::string_view answer) {
  json::ParseLimits limits;
  limits.max_bytes = 5 << 20;
  const auto value = json::parse(answer, limits);
  if (!value || !value->is(json::Kind::object)) return malformed_heartbeat("the response is not a JSON object");
  NumbersOfAnswer numbers;
  numbers.wanted = value->flag("wants_listed_numbers").value_or(false);
  if (const auto* member = value->find("listed_numbers")) {
    auto listed = read_numbers(*member);
    if (!listed) return malformed_heartbeat("the member listed_numbers is not an object of numbers by channel");
    numbers.listed = std::move(*listed);
  }
  return numbers;
}

base::Result<std::optional<ListedLinks>> listed_from_answer(std::string_view answer, DistrustedBackups* distrusted) {
  json::ParseLimits limits;
  limits.max_bytes = 5 << 20;
  const auto value = json::parse(answer, limits);
  if (!value || !value->is(json::Kind::object)) return malformed_heartbeat("the response is not a JSON object");
  if (distrusted && !read_distrusted(*value, *distrusted))
    return malformed_heartbeat("the member distrusted_backups is not an object of lists of origins, or is too long");
  const auto* links = value->find("listed_links");
  if (!links) return std::optional<ListedLinks>{};
  if (!links->is(json::Kind::object)) return malformed_heartbeat("the member listed_links is not an object");
  ListedLinks listed;
  for (const auto& entry : links->object) {
    if (!is_id(entry.name) || !entry.value.is(json::Kind::integer) || entry.value.integer < 0)
      return malformed_heartbeat("the listed link of a channel has no time");
    listed[entry.name] = entry.value.integer;
  }
  return std::optional<ListedLinks>(std::move(listed));
}

base::Result<std::vector<Peer>> peers_from_answer(std::string_view answer, std::string* unfit) {
  json::ParseLimits limits;
  limits.max_bytes = 5 << 20;
  const auto value = json::parse(answer, limits);
  if (!value || !value->is(json::Kind::object)) return malformed_heartbeat("the response is not a JSON object");
  std::vector<Peer> peers;
  if (unfit) *unfit = value->text("unfit").value_or("").substr(0, 256);
  const auto* list = value->find("peers");
  if (!list) return peers;
  if (!list->is(json::Kind::array) || list->array.size() > kMaxPeers)
    return malformed_heartbeat("the member peers is not a list, or is too long");
  for (const auto& entry : list->array) {
    Peer peer{std::string(entry.text("id").value_or("")), std::string(entry.text("url").value_or(""))};
    if (!is_id(peer.id) || !is_node_url(peer.url)) return malformed_heartbeat("a peer has no id or no URL");
    peers.push_back(std::move(peer));
  }
  return peers;
}

std::string heartbeat_path(std::string_view node) { return "/internal/v1/nodes/" + std::string(node); }

}  // namespace tribune::contracts
