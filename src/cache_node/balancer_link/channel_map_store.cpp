#include "cache_node/balancer_link/channel_map_store.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/text_file.h"

namespace tribune::cache_node {

namespace {
/// A balancer's report expires after this time: the links in its last playlists are old, and no client can get a new
/// playlist from it.
constexpr auto kReportLifetime = std::chrono::hours(24);
}  // namespace

ChannelMapStore::ChannelMapStore(std::string store_dir, DiskMaintenance& disk_maintenance, base::Log& log)
    : path_(store_dir.empty() ? "" : std::move(store_dir) + "/channel_map.json"),
      disk_maintenance_(disk_maintenance),
      log_(log),
      map_(nullptr) {}

void ChannelMapStore::load() {
  std::ifstream file(path_, std::ios::binary);
  if (!file) return;
  const std::string json((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto map = contracts::channel_map_from_json(json);
  if (!map) {
    log_.warning("cache_node", "channel_map_damaged", {{"file", path_}, {"error", map.error().text}});
    return;
  }
  contracts::DistrustedBackups distrusted;
  if (auto listed = contracts::listed_from_answer(json, &distrusted); listed && *listed)
    take_report({std::move(**listed), std::move(distrusted)}, "", {});
  log_.info("cache_node", "channel_map_loaded", {{"version", map->version}, {"channels", map->channels.size()}});
  map_.publish(std::make_shared<const contracts::ChannelMap>(std::move(*map)));
}

std::optional<std::int64_t> ChannelMapStore::listed_from(std::string_view channel) const {
  const auto listed = listed_.get();
  const auto found = listed->find(channel);
  if (found == listed->end()) return std::nullopt;
  return found->second;
}

/// Returns whether the result changed.
bool ChannelMapStore::take_report(Report report, const std::string& balancer,
                                  const std::vector<std::string>& configured) {
  const std::lock_guard lock(mutex_);
  const auto is_over = [&](const auto& entry) {
    if (entry.first == balancer) return false;
    const bool is_unknown =
        !configured.empty() && std::find(configured.begin(), configured.end(), entry.first) == configured.end();
    return entry.first.empty() || is_unknown || report.received_at - entry.second.received_at > kReportLifetime;
  };
  const auto ended = std::erase_if(reports_, is_over);
  const auto known = reports_.find(balancer);
  const bool is_same =
      known != reports_.end() && known->second.links == report.links && known->second.distrusted == report.distrusted;
  reports_[balancer] = std::move(report);
  if (is_same && ended == 0) return false;
  auto oldest = std::make_shared<contracts::ListedLinks>();
  auto distrusted = std::make_shared<contracts::DistrustedBackups>();
  for (const auto& [name, one] : reports_) {
    for (const auto& [channel, from] : one.links) {
      const auto [entry, is_new] = oldest->emplace(channel, from);
      if (!is_new) entry->second = std::min(entry->second, from);
    }
    for (const auto& [channel, backups] : one.distrusted) {
      auto& all = (*distrusted)[channel];
      for (const auto& backup : backups)
        if (std::find(all.begin(), all.end(), backup) == all.end()) all.push_back(backup);
    }
  }
  listed_.publish(std::move(oldest));
  distrusted_.publish(std::move(distrusted));
  return true;
}

base::Status ChannelMapStore::update(const std::string& json, const std::string& balancer, base::SteadyTime now,
                                     const std::vector<std::string>& configured) {
  auto map = contracts::channel_map_from_json(json);
  if (!map) return tl::unexpected(map.error());
  contracts::DistrustedBackups distrusted;
  auto listed = contracts::listed_from_answer(json, &distrusted);
  if (!listed) return tl::unexpected(listed.error());
  const bool has_report =
      *listed && take_report({std::move(**listed), std::move(distrusted), now}, balancer, configured);
  const auto known = map_.get();
  if (known) *map = contracts::with_former(std::move(*map), *known);
  const bool is_known = known && *known == *map;
  if (is_known && !has_report) return {};
  const auto stored = contracts::heartbeat_answer(contracts::to_json(*map), {}, *listed_.get(), "", *distrusted_.get());
  if (!is_known) {
    log_.info("cache_node", "channel_map_changed", {{"version", map->version}, {"channels", map->channels.size()}});
    map_.publish(std::make_shared<const contracts::ChannelMap>(std::move(*map)));
  }
  if (path_.empty()) return {};
  // Does not capture `this`: the maintenance thread finishes its work after this object is destroyed.
  disk_maintenance_.add([path = path_, &log = log_, stored] {
    if (const auto kept = base::replace_file(path, stored); !kept)
      log.warning("cache_node", "channel_map_not_kept", {{"error", kept.error().text}});
  });
  return {};
}

}  // namespace tribune::cache_node
