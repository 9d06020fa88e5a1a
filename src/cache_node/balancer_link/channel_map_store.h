#pragma once
// The channel map as the balancer told it last, kept on disk so that the node starts and works while the balancer is
// away.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/published.h"
#include "cache_node/disk/disk_maintenance.h"
#include "contracts/channel_map.h"
#include "contracts/heartbeat.h"

namespace tribune::cache_node {

/// Any thread; locks inside.
class ChannelMapStore {
 public:
  /// Without a folder it is kept in RAM only.
  ChannelMapStore(std::string store_dir, DiskMaintenance&, base::Log&);

  /// Reads the map that was kept; a damaged one is told in the log and passed over.
  void load();
  /// From that balancer's verified answer, `now`. A changed map is used at once and kept soon. What balancers said that
  /// are not among the `configured` ones counts no longer; where these are not told, all are.
  base::Status take(const std::string& json, const std::string& balancer = "", base::SteadyTime now = {},
                    const std::vector<std::string>& configured = {});
  /// Null while none is known.
  std::shared_ptr<const contracts::ChannelMap> map() const { return map_.get(); }
  /// The expiry of the oldest link that any balancer's playlists still list, as they said last; nothing when all are
  /// young. While another one speaks, a balancer that is away is believed for a day.
  std::optional<std::int64_t> listed_from(std::string_view channel) const;

 private:
  struct Said {
    contracts::ListedLinks links;
    base::SteadyTime heard{};
  };
  bool take_listed(contracts::ListedLinks, const std::string& balancer, base::SteadyTime now,
                   const std::vector<std::string>& configured);

  const std::string path_;
  DiskMaintenance& disk_maintenance_;
  base::Log& log_;
  base::Published<contracts::ChannelMap> map_;
  std::mutex mutex_;
  std::map<std::string, Said> said_;  // by balancer; "": what was kept on disk, until one speaks
  base::Published<contracts::ListedLinks> listed_{
      std::make_shared<const contracts::ListedLinks>()};  // the oldest of all
};

}  // namespace tribune::cache_node
