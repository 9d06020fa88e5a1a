#include "contracts/channel_map.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/json.h"
#include "contracts/canonical.h"
#include "contracts/epoch.h"
#include "contracts/event.h"
#include "http/uri.h"

namespace tribune::contracts {
namespace {

namespace json = base::json;

constexpr std::size_t kMaxChannelMapBytes = 4 << 20;

tl::unexpected<base::Error> malformed_channel_map(std::string text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, "channel map: " + std::move(text));
}

void write_members(json::Writer& w, const OriginSet& origins) {
  w.member("base", origins.base).key("extra_origins").begin_array();
  for (const auto& origin : origins.extra_origins) w.value(origin);
  w.end_array();
  if (origins.backups.empty()) return;
  w.key("backups").begin_array();
  for (const auto& backup : origins.backups) w.value(backup);
  w.end_array();
}

void write_channels(json::Writer& w, const std::vector<ChannelEntry>& channels) {
  w.begin_array();
  for (const auto& channel : channels) {
    w.begin_object().member("id", channel.id);
    write_members(w, channel.origins);
    if (!channel.former.empty()) {
      w.key("former").begin_array();
      for (const auto& former : channel.former) {
        w.begin_object();
        write_members(w, former);
        w.end_object();
      }
      w.end_array();
    }
    w.end_object();
  }
  w.end_array();
}

base::Status read_origins(const json::Value& channel, std::string_view name, const std::string& id,
                          std::vector<std::string>& out) {
  const auto* list = channel.find(name);
  if (!list) return {};
  if (!list->is(json::Kind::array))
    return malformed_channel_map("channel " + id + ": " + std::string(name) + " is not a list");
  for (const auto& value : list->array) {
    const auto uri = value.is(json::Kind::string) ? http::parse_uri(value.string) : malformed_channel_map("");
    if (!uri || uri->origin() != value.string)
      return malformed_channel_map("channel " + id + ": " + std::string(name) +
                                   " contains an entry that is not an origin");
    out.push_back(value.string);
  }
  return {};
}

base::Result<OriginSet> read_origin_set(const json::Value& value, const std::string& channel) {
  OriginSet origins;
  origins.base = value.text("base").value_or("");
  const auto base = http::parse_uri(origins.base);
  if (!base || !base->query.empty() || !origins.base.ends_with('/'))
    return malformed_channel_map("channel " + channel + " has no base URL");
  if (auto read = read_origins(value, "extra_origins", channel, origins.extra_origins); !read)
    return tl::unexpected(read.error());
  if (auto read = read_origins(value, "backups", channel, origins.backups); !read) return tl::unexpected(read.error());
  return origins;
}

base::Result<ChannelEntry> read_channel(const json::Value& value) {
  if (!value.is(json::Kind::object)) return malformed_channel_map("a channel is not an object");
  ChannelEntry entry;
  entry.id = value.text("id").value_or("");
  if (!is_id(entry.id)) return malformed_channel_map("a channel has no id");
  auto origins = read_origin_set(value, entry.id);
  if (!origins) return tl::unexpected(origins.error());
  entry.origins = std::move(*origins);
  const auto* former = value.find("former");
  if (!former) return entry;
  if (!former->is(json::Kind::array) || former->array.size() > kMaxFormerOrigins)
    return malformed_channel_map("channel " + entry.id + ": former is not a list, or is too long");
  for (const auto& one : former->array) {
    auto known = read_origin_set(one, entry.id);
    if (!known) return tl::unexpected(known.error());
    entry.former.push_back(std::move(*known));
  }
  return entry;
}

}  // namespace

std::optional<OriginSet> ChannelEntry::origins_of(std::string_view epoch) const {
  auto found = origins_of_epoch(origins, epoch);
  for (auto one = former.begin(); !found && one != former.end(); ++one) found = origins_of_epoch(*one, epoch);
  return found;
}

const ChannelEntry* ChannelMap::find(std::string_view id) const {
  const auto found = std::find_if(channels.begin(), channels.end(), [&](const ChannelEntry& c) { return c.id == id; });
  return found == channels.end() ? nullptr : &*found;
}

ChannelMap channel_map(const Event& event) {
  ChannelMap map;
  for (const auto& channel : event.channels) {
    map.channels.push_back({channel.id, origin_set(channel.source, channel.extra_origins)});
    for (const auto& backup : channel.backup_origins)
      if (const auto uri = http::parse_uri(backup)) map.channels.back().origins.backups.push_back(uri->origin());
  }
  json::Writer content;
  write_channels(content, map.channels);
  map.version = base::to_hex(base::sha256(content.text())).substr(0, 16);
  return map;
}

ChannelMap with_former(ChannelMap map, const ChannelMap& known) {
  for (auto& channel : map.channels) {
    const auto* before = known.find(channel.id);
    if (!before) continue;
    channel.former = before->former;
    if (!(before->origins == channel.origins)) channel.former.insert(channel.former.begin(), before->origins);
    std::erase(channel.former, channel.origins);
    channel.former.resize(std::min(channel.former.size(), kMaxFormerOrigins));
  }
  return map;
}

std::string to_json(const ChannelMap& map) {
  json::Writer w;
  w.begin_object().member("version", map.version).key("channels");
  write_channels(w, map.channels);
  return w.end_object().take();
}

base::Result<ChannelMap> channel_map_from_json(std::string_view text) {
  json::ParseLimits limits;
  limits.max_bytes = kMaxChannelMapBytes;
  const auto value = json::parse(text, limits);
  if (!value) return malformed_channel_map("not JSON: " + value.error().text);
  if (!value->is(json::Kind::object)) return malformed_channel_map("not an object");
  ChannelMap map;
  map.version = value->text("version").value_or("");
  const auto* channels = value->find("channels");
  if (map.version.empty() || map.version.size() > 64)
    return malformed_channel_map("the version is missing or too long");
  if (!channels || !channels->is(json::Kind::array)) return malformed_channel_map("the list of channels is missing");
  for (const auto& channel : channels->array) {
    auto entry = read_channel(channel);
    if (!entry) return tl::unexpected(entry.error());
    if (map.find(entry->id)) return malformed_channel_map("channel " + entry->id + " occurs twice");
    map.channels.push_back(std::move(*entry));
  }
  return map;
}

}  // namespace tribune::contracts
