#include "cache_node/channel_map_keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/bytes.h"

namespace tribune::cache_node {

namespace {
/// What its playlists listed is old by then, and nobody can ask it for another.
constexpr auto kBelieved = std::chrono::hours(24);
}

base::Status replace_file(const std::string& path, std::string_view content) {
  const auto failed = [&](const char* what) {
    return base::failure(base::ErrorKind::io, base::Fault::tribune, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)), true);
  };
  const auto temporary = path + ".new";
  {
    const base::File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (file.fd() < 0) return failed("create");
    while (!content.empty()) {
      const auto wrote = ::write(file.fd(), content.data(), content.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return failed("write");
      content.remove_prefix(static_cast<std::size_t>(wrote));
    }
    if (::fsync(file.fd()) != 0) return failed("sync");
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return failed("replace");
  return {};
}

ChannelMapKeeper::ChannelMapKeeper(std::string store_dir, Housekeeper& housekeeper, base::Log& log)
    : path_(store_dir.empty() ? "" : std::move(store_dir) + "/channel_map.json"), housekeeper_(housekeeper), log_(log), map_(nullptr) {}

void ChannelMapKeeper::load() {
  std::ifstream file(path_, std::ios::binary);
  if (!file) return;
  const std::string json((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto map = contracts::channel_map_from_json(json);
  if (!map) {
    log_.warning("cache_node", "channel_map_damaged", {{"file", path_}, {"error", map.error().text}});
    return;
  }
  if (auto listed = contracts::listed_from_answer(json); listed && *listed) take_listed(std::move(**listed), "", {}, {});
  log_.info("cache_node", "channel_map_loaded", {{"version", map->version}, {"channels", map->channels.size()}});
  map_.publish(std::make_shared<const contracts::ChannelMap>(std::move(*map)));
}

std::optional<std::int64_t> ChannelMapKeeper::listed_from(std::string_view channel) const {
  const auto listed = listed_.get();
  const auto found = listed->find(channel);
  if (found == listed->end()) return std::nullopt;
  return found->second;
}

/// Whether anything changed.
bool ChannelMapKeeper::take_listed(contracts::ListedLinks listed, const std::string& balancer, base::SteadyTime now, const std::vector<std::string>& configured) {
  const std::lock_guard lock(mutex_);
  const auto is_over = [&](const auto& entry) {
    if (entry.first == balancer) return false;
    const bool is_unknown = !configured.empty() && std::find(configured.begin(), configured.end(), entry.first) == configured.end();
    return entry.first.empty() || is_unknown || now - entry.second.heard > kBelieved;
  };
  const auto ended = std::erase_if(said_, is_over);
  const auto known = said_.find(balancer);
  const bool is_same = known != said_.end() && known->second.links == listed;
  said_[balancer] = {std::move(listed), now};
  if (is_same && ended == 0) return false;
  auto oldest = std::make_shared<contracts::ListedLinks>();
  for (const auto& [name, one] : said_)
    for (const auto& [channel, from] : one.links) {
      const auto [entry, is_new] = oldest->emplace(channel, from);
      if (!is_new) entry->second = std::min(entry->second, from);
    }
  listed_.publish(std::move(oldest));
  return true;
}

base::Status ChannelMapKeeper::take(const std::string& json, const std::string& balancer, base::SteadyTime now, const std::vector<std::string>& configured) {
  auto map = contracts::channel_map_from_json(json);
  if (!map) return tl::unexpected(map.error());
  auto listed = contracts::listed_from_answer(json);
  if (!listed) return tl::unexpected(listed.error());
  const bool has_listed = *listed && take_listed(std::move(**listed), balancer, now, configured);
  const auto known = map_.get();
  const bool is_known = known && *known == *map;
  if (is_known && !has_listed) return {};
  if (!is_known) {
    log_.info("cache_node", "channel_map_changed", {{"version", map->version}, {"channels", map->channels.size()}});
    map_.publish(std::make_shared<const contracts::ChannelMap>(std::move(*map)));
  }
  if (path_.empty()) return {};
  // Without `this`: the housekeeper finishes its work after the keeper is gone.
  housekeeper_.add([path = path_, &log = log_, json] {
    if (const auto kept = replace_file(path, json); !kept)
      log.warning("cache_node", "channel_map_not_kept", {{"error", kept.error().text}});
  });
  return {};
}

}  // namespace tribune::cache_node
