#pragma once
// The channel map of the balancer's last heartbeat response, stored on disk so that the node starts and works without
// a balancer.

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
  /// Without a folder the map is kept in RAM only.
  ChannelMapStore(std::string store_dir, DiskMaintenance&, base::Log&);

  /// Reads the stored map; a damaged one is logged and ignored.
  void load();
  /// Takes a balancer's verified response. A changed map is used at once and stored soon. Reports of balancers that
  /// are not in `configured` are dropped; an empty `configured` keeps all.
  base::Status update(const std::string& json, const std::string& balancer = "", base::SteadyTime now = {},
                      const std::vector<std::string>& configured = {});
  /// Null while there is no map.
  std::shared_ptr<const contracts::ChannelMap> map() const { return map_.get(); }
  /// The expiry of the oldest link that any balancer's playlists still list, by their last reports; nullopt when there
  /// is no such link. While another balancer answers, the report of one that does not is used for a day.
  std::optional<std::int64_t> listed_from(std::string_view channel) const;
  /// The backups of each channel that any balancer found to have other files than the source, by the same reports.
  std::shared_ptr<const contracts::DistrustedBackups> distrusted() const { return distrusted_.get(); }

 private:
  struct Report {
    contracts::ListedLinks links;
    contracts::DistrustedBackups distrusted;
    base::SteadyTime received_at{};
  };
  bool take_report(Report, const std::string& balancer, const std::vector<std::string>& configured);

  const std::string path_;
  DiskMaintenance& disk_maintenance_;
  base::Log& log_;
  base::Published<contracts::ChannelMap> map_;
  std::mutex mutex_;
  std::map<std::string, Report> reports_;  // by balancer; "": the stored report, until a balancer reports
  base::Published<contracts::ListedLinks> listed_{
      std::make_shared<const contracts::ListedLinks>()};  // the oldest of all reports
  base::Published<contracts::DistrustedBackups> distrusted_{
      std::make_shared<const contracts::DistrustedBackups>()};  // of all reports
};

}  // namespace tribune::cache_node
